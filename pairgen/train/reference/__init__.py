"""Reference log-probs: computed before training, cached on disk by pair, and written as they are computed.

They are kept next to the dataset in ``reference/<model>-<forward>-<tokens>-v<FORMAT>/``, named by what they were
computed from: a fingerprint of the model, the precision and layout of its forward passes, and a hash of the token ids.
Every run with the same reference uses them. Each process writes an Arrow stream of its own; of a stream that was cut
short, the complete record batches count. The files are memory-mapped, and a pair is found by the 128-bit hash of its id
in sorted arrays, so that millions of pairs fit in the memory of each process.

Rounding. In bfloat16 the log-prob of a completion changes by some tenths of a nat with the pairs that it is batched
with, since the order of the sums in a matrix product depends on its shape. Where policy and reference are equal, DPOP's
gradient is 1 + lambda times larger on one side than on the other, so such noise alone would decide the first steps. But
equal inputs give equal results to the last bit: the pass of the reference batches pairs as the first epoch will (and
evaluation, always) and computes what the policy computes, gradients included, so that the error is the same in both,
and cancels. At the first step the loss is exactly that of equal models, and every fall after it counts in full. Each
row says which batch it was computed in; in low precision, rows of other batches (another seed, batch size, number of
processes or device) are computed again, and only a resumed run, or an epoch after the first, which batches anew, makes
do with them. ``--reference online`` computes the reference with each batch, at the cost of a forward pass. In float32,
rows of any batch are used: they differ by 1e-5 nats, which DPOP ignores (``PairLogps.rounding``).
"""
