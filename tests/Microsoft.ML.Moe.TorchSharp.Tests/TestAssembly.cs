// libtorch divides each operation among the processors by itself, and the count of live tensors is one for the process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
