"""Reading the page of a report."""

import html.parser


class Page(html.parser.HTMLParser):
    """Text, pictures and chips of a page; fails on external resources."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.sources, self.chips = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert tag not in ("script", "link", "iframe")
        if tag in ("meta", "img"):
            self.sources += [attributes["src"]] if tag == "img" else []
            return
        assert "src" not in attributes and "href" not in attributes
        self.open.append(tag)
        if "chip" in attributes.get("class", ""):
            self.chips.append(attributes["class"].split()[1])

    def handle_endtag(self, tag):
        if tag != "!DOCTYPE":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
