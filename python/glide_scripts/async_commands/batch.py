"""The batches, under the name that GLIDE's module has."""

from ..client.batch import BaseBatch, Batch, ClusterBatch, ClusterTransaction, Transaction
from ..scripts.typed import TBatch

__all__ = [
    "BaseBatch",
    "Batch",
    "ClusterBatch",
    "ClusterTransaction",
    "TBatch",
    "Transaction",
]
