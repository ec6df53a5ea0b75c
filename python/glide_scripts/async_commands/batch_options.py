"""The options of batches, under the name that GLIDE's module has."""

from ..client.batch_options import BatchOptions, BatchRetryStrategy, ClusterBatchOptions

__all__ = ["BatchOptions", "BatchRetryStrategy", "ClusterBatchOptions"]
