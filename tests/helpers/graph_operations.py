"""What a traced function is made of."""


def graph_operations(concrete_function):
    """The operations of its graph, and of the functions that the graph calls."""
    graph = concrete_function.graph
    graphs = [graph, *(function.graph for function in graph._functions.values())]
    return [operation for graph in graphs for operation in graph.get_operations()]
