"""The batches, under the name that GLIDE's module has."""

from ..client.base_batch import BaseBatch
from ..client.batch import Batch, ClusterBatch, ClusterTransaction, Transaction
from ..scripts.typed import TBatch

__all__ = [
    "BaseBatch",
    "Batch",
    "ClusterBatch",
    "ClusterTransaction",
    "TBatch",
    "Transaction",
]
