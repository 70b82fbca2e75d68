"""Ops that a stock TensorFlow Serving supports."""

from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

# The ops of exported graphs. All are in TensorFlow 2.12 and TensorFlow Text 2.12.1,
# which servers 2.12 to 2.19 link (2.20 links 2.20.0). A server notices a missing op
# only at the first request. Before you add an op, check that these releases have it;
# beware of `TFText>RoundRobinTrim` in keras-nlp's packers.
SERVING_OPS = frozenset(
    """
    Abs AddN AddV2 All Any ArgMax Assert AssignVariableOp BatchMatMulV2 BiasAdd
    BroadcastArgs BroadcastTo CaseFoldUTF8 Cast Ceil ClipByValue ConcatV2 Const Cos
    Cumsum DecodeRaw DenseBincount DisableCopyOnRead DivNoNan Einsum EnsureShape Equal
    Erf Erfc Exp ExpandDims FastWordpieceTokenizeWithOffsets Fill FloorDiv FloorMod
    GatherNd GatherV2 Greater GreaterEqual Identity IdentityN If InvertPermutation Less
    LessEqual Log LogicalAnd LogicalNot LogicalOr LowerBound MatMul Max Maximum Mean
    MergeV2Checkpoints Min Minimum Mul Neg NoOp NormalizeUTF8 NotEqual OneHot OnesLike
    Pack Pad PadV2 PartitionedCall Placeholder Pow Prod RaggedGather RaggedRange
    RaggedTensorToTensor Range Rank ReadVariableOp RealDiv ReduceJoin
    RegexSplitWithOffsets Relu Reshape ResourceGather RestoreV2 ReverseV2 Rsqrt SaveV2
    Select SelectV2 SentencepieceOp SentencepieceTokenizeOp Shape ShardedFilename
    Sigmoid Sign Sin Size Slice Softmax SparseTensorDenseMatMul Split SplitV Sqrt Square
    SquaredDifference Squeeze StatefulPartitionedCall StatelessIf StatelessWhile
    StaticRegexFullMatch StaticRegexReplace StopGradient StridedSlice StringJoin
    StringLower StringNGrams StringSplitV2 StringToHashBucketFast Sub Sum Tanh
    TensorScatterUpdate Tile TopKV2 Transpose UnicodeDecode UnicodeEncode
    UnicodeTranscode Unique UniqueWithCounts Unpack UnsortedSegmentMin
    UnsortedSegmentSum VarHandleOp Where While ZerosLike
    """.split()
)


def find_graph_problems(version_folder):
    """Finds reasons why a stock server would refuse the graph of a version.

    Args:
        version_folder: path. Folder with `saved_model.pb`.

    Returns:
        List of sentences, empty if the server runs the graph.
    """
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString(Path(version_folder, "saved_model.pb").read_bytes())
    (meta_graph,) = saved_model.meta_graphs
    library = meta_graph.graph_def.library.function
    nodes = [*meta_graph.graph_def.node, *(n for f in library for n in f.node_def)]
    ops = {node.op for node in nodes} - {f.signature.name for f in library}
    problems = [
        f"Op {op} is not known to be in TensorFlow Serving 2.12 to 2.20."
        for op in sorted(ops - SERVING_OPS)
    ]
    # Both a call and the function that it calls are marked.
    if any(part.attr["_XlaMustCompile"].b for part in [*library, *nodes]):
        problems.append("A function is compiled with XLA, which servers disable.")
    return problems
