// The page: a text, its labels, and what a person makes of them.

import { Completion, describe } from "./completion.js";
import { call } from "./server.js";
import { Unsent } from "./unsent.js";

const find = (id) => document.getElementById(id);
const form = find("form"), text = find("text"), submit = find("submit");
const k = find("k"), threshold = find("threshold"), list = find("labels");
const model = find("name").textContent;
const keeps = document.body.dataset.corrections === "on";

let waiting = false;
let asked = null; // the text that the labels are of
let version = null;
let labels = []; // of the answer: {name, title, score}
let decisions = new Map(); // name -> {accepted, title}, made by hand
let kept = null; // the last correction, to not keep it twice
let keptAs = null; // its key, while the server may not have it

// === Settings, the same at the next visit ===
const SETTINGS = "xmc-settings";

function restore() {
  try {
    const found = JSON.parse(localStorage.getItem(SETTINGS)) || {};
    if (found.k) k.value = found.k;
    if (found.threshold) threshold.value = found.threshold;
  } catch {
    // Storage is off.
  }
}

function remember() {
  try {
    const settings = { k: k.value, threshold: threshold.value };
    localStorage.setItem(SETTINGS, JSON.stringify(settings));
  } catch {
    // Storage is off or full.
  }
}

// === What is accepted ===

/** All rows: the labels of the answer, then those added by hand. */
function rows() {
  const names = new Set(labels.map(({ name }) => name));
  const added = [...decisions].filter(([name]) => !names.has(name));
  return [...labels, ...added.map(([name, { title }]) => ({ name, title, score: null }))];
}

function isAccepted({ name, score }) {
  const decision = decisions.get(name);
  return decision ? decision.accepted : 100 * score >= threshold.value;
}

function accepted() {
  return rows().filter(isAccepted).map(({ name }) => name);
}

/** Whether a text is an edit of another: at least half of the longer is the same. */
function isEdit(before, after) {
  const longest = Math.max(before.length, after.length);
  const shortest = Math.min(before.length, after.length);
  let start = 0, end = 0;
  while (start < shortest && before[start] === after[start]) start++;
  while (end < shortest - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  return 2 * (start + end) >= longest;
}

// === What is shown ===

/** The elements of a row; `update` says what is accepted. */
function makeRow(label) {
  const item = document.createElement("li");
  const row = document.createElement(keeps ? "label" : "div");
  row.className = "row";
  const mark = document.createElement(keeps ? "input" : "span");
  if (keeps) {
    mark.type = "checkbox";
    mark.addEventListener("change", () => decide(label, mark.checked));
  } else {
    mark.className = "mark";
    mark.role = "img";
  }
  const words = document.createElement("span");
  words.className = "words";
  const by = document.createElement("span");
  by.className = "by";
  words.append(...describe(label), " ", by);
  row.append(mark, words, ...describeScore(label.score));
  item.append(row);
  return item;
}

function describeScore(score) {
  if (score === null) return [];
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  const part = document.createElement("i");
  part.style.width = `${100 * Math.min(1, Math.max(0, score))}%`;
  bar.append(part);
  const number = document.createElement("span");
  number.className = "score";
  // Rounded down, so that what shows 50.0 % is not below 50 %.
  number.textContent = `${(Math.floor(1000 * score) / 10).toFixed(1)} %`;
  return [bar, number];
}

/** Makes all rows, where there are other labels. */
function show() {
  list.replaceChildren(...rows().map(makeRow));
  update();
}

/** Marks what is accepted. */
function update() {
  const shown = rows();
  list.style.setProperty("--threshold", `${threshold.value}%`);
  shown.forEach((label, i) => {
    const item = list.children[i], is = isAccepted(label);
    const decision = decisions.get(label.name);
    item.classList.toggle("accepted", is);
    item.classList.toggle("rejected", Boolean(decision) && !is);
    const mark = item.querySelector("input, .mark");
    if (keeps) {
      mark.checked = is;
    } else {
      mark.textContent = is ? "✓" : "";
      mark.ariaLabel = is ? "accepted" : "not accepted";
    }
    const verb = is ? (label.score === null ? "added" : "accepted") : "rejected";
    item.querySelector(".by").textContent = decision ? `${verb} by you` : "";
  });
  find("level").textContent = `${threshold.value} %`;
  threshold.setAttribute("aria-valuetext", `${threshold.value} percent`);
  showChanges();
}

function summary(shown) {
  if (asked === null) return "The labels of your text appear here.";
  if (shown.length === 0) return "The model has no label for this text.";
  const count = accepted().length;
  const of = asked === text.value ? "" : ". They are of the text before it was changed.";
  if (count > 0) return `${count} of ${shown.length} labels accepted${of}`;
  const best = Math.max(...labels.map(({ score }) => score));
  return 100 * best < threshold.value
    ? `No label reaches ${threshold.value} %: the answer is empty.`
    : "All labels are rejected: the answer is empty.";
}

/** Shows what depends on the text as it is now. */
function showChanges() {
  const isOld = asked !== null && asked !== text.value;
  find("answer").classList.toggle("old", isOld);
  say(find("status"), summary(rows()));
  updateSave();
}

function updateSave() {
  if (!keeps) return;
  find("correct").hidden = asked === null;
  find("save").setAttribute("aria-disabled", Boolean(whyNotSave()));
  const count = accepted().length;
  find("save").textContent =
    count === 0 ? "Save" : count === 1 ? "Save 1 label" : `Save ${count} labels`;
  say(find("saved"), whyNotSave());
}

/** Why there is nothing to save, "" if there is. */
function whyNotSave() {
  if (waiting || asked === null) return " ";
  if (asked !== text.value) return "The text has changed. Find its labels first.";
  if (!text.value.trim()) return "There is no text.";
  if (accepted().length === 0) return "Accept or add a label first.";
  if (kept !== correctionKey()) return "";
  return unsent.has(keptAs) ? "Kept in this browser until the server has it."
    : "Saved. Type or paste the next text.";
}

/** Changes a live region, which is read aloud, only where it says something else. */
function say(region, words) {
  if (region.textContent !== words) region.textContent = words;
}

// === What a person does ===

function wait(busy) {
  waiting = busy;
  // Not `disabled`, which would drop the focus.
  submit.setAttribute("aria-disabled", busy);
  submit.textContent = busy ? "Finding labels…" : "Find labels";
  find("answer").classList.toggle("busy", busy);
}

async function ask() {
  const question = text.value;
  wait(true);
  say(find("error"), "");
  try {
    const answer = await call("page/labels", { text: question, k: Number(k.value) });
    // Decisions are about a document: they stay while its text is edited.
    if (asked !== null && !isEdit(asked, question)) decisions = new Map();
    [asked, version, labels] = [question, answer.version, answer.labels];
    say(find("version"), `version ${version}`);
  } catch (error) {
    // What was decided stays, of the text that it was decided for.
    say(find("error"), error.message);
  } finally {
    wait(false);
    show();
  }
}

function decide(label, isIn) {
  decisions.set(label.name, { accepted: isIn, title: label.title });
  update();
}

function add(label) {
  decisions.set(label.name, { accepted: true, title: label.title });
  show();
  const index = rows().findIndex(({ name }) => name === label.name);
  list.children[index].scrollIntoView({ block: "nearest" });
  say(find("found"), `${label.title || label.name} is accepted.`);
}

function correctionKey() {
  return JSON.stringify([text.value, accepted()]);
}

function save() {
  if (whyNotSave()) return;
  kept = correctionKey();
  const whole = text.value.toWellFormed?.() ?? text.value; // as UTF-8 can hold it
  keptAs = unsent.add({ text: whole, labels: accepted(), model, version });
  updateSave();
  // The next text replaces this one.
  text.focus();
  text.select();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!waiting) ask();
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit();
  }
});
text.addEventListener("input", showChanges);
threshold.addEventListener("input", update);
threshold.addEventListener("change", remember);
k.addEventListener("change", () => k.validity.valid && remember());
list.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const marks = [...list.querySelectorAll("input")];
  marks[marks.indexOf(event.target) + step]?.focus();
});
find("save").addEventListener("click", save);

// === Corrections on their way ===

function showUnsent(message) {
  const count = unsent.list().length;
  find("unsent").hidden = count === 0;
  updateSave();
  if (count === 0) return;
  const what = count === 1 ? "1 correction is" : `${count} corrections are`;
  const reason = message || (keeps ? "" : "This server takes no corrections.");
  say(find("unsent-text"), `${what} kept in this browser until the server has ` +
    `${count === 1 ? "it" : "them"}. ${reason}`.trim());
}

function download() {
  const lines = unsent.list().map(([, { kept, ...rest }]) => `${JSON.stringify(rest)}\n`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = "corrections.jsonl";
  link.click();
}

const unsent = new Unsent(model, (x) => call("page/corrections", x), showUnsent);
find("send").addEventListener("click", () => unsent.sendAll());
find("download").addEventListener("click", download);
find("discard").addEventListener("click", () => {
  const count = unsent.list().length;
  if (confirm(`Discard ${count} unsaved correction${count === 1 ? "" : "s"}?`)) {
    unsent.discard();
  }
});
if (keeps) {
  new Completion(find("add"), find("options"), find("found"), (query, signal) =>
    call(`page/search?query=${encodeURIComponent(query)}`, undefined, signal), add);
  unsent.sendAll();
} else {
  find("off").hidden = false;
  showUnsent("");
}
restore();
update();
