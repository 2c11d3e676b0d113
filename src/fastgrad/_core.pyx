# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: c_api_binop_methods=True, binding=False, embedsignature=True
"""The compiled backend: Tensor, Node and the direct path to NumPy's inner loops.

The one place that sees both Python and the C core. Read the parts in the order in which they are included.
"""

include "_core_parts/imports.pxi"    # Python modules
include "_core_parts/externs.pxi"    # C declarations
include "_core_parts/array.pxi"      # fg_array <-> ndarray
include "_core_parts/blocks.pxi"     # memory of NumPy's functions
include "_core_parts/threads.pxi"    # work on several threads
include "_core_parts/row.pxi"        # Row: an operation's loops and programs
include "_core_parts/node.pxi"       # Node: one recorded operation
include "_core_parts/pool.pxi"      # free lists of Tensors and Nodes
include "_core_parts/modes.pxi"      # what a thread has switched on
include "_core_parts/record.pxi"     # apply: forward, and the node that remembers it
include "_core_parts/derived.pxi"    # the direct path of expressions
include "_core_parts/shapes.pxi"     # the direct path of reductions and views
include "_core_parts/products.pxi"   # the direct path of matmul and linear layers
include "_core_parts/batches.pxi"    # NumPy's functions of many matrices
include "_core_parts/images.pxi"     # the direct path of convolutions
include "_core_parts/gather.pxi"     # the direct path of indices that hold arrays
include "_core_parts/axes.pxi"       # the direct path of views with other axes
include "_core_parts/joins.pxi"      # of joining, cutting, rolling and padding
include "_core_parts/scans.pxi"      # of running sums, products and extrema
include "_core_parts/sorts.pxi"      # of sorting
include "_core_parts/rows.pxi"       # the direct path along rows
include "_core_parts/norms.pxi"      # normalisation
include "_core_parts/classes.pxi"    # losses of classes
include "_core_parts/spread.pxi"     # the vjp of operands that were broadcast
include "_core_parts/inplace.pxi"    # writing in place; views after a write
include "_core_parts/formula.pxi"   # the general path of a vjp
include "_core_parts/hooks.pxi"      # hooks of Tensors and nodes
include "_core_parts/function.pxi"   # the nodes of custom Functions
include "_core_parts/backward.pxi"   # one run through the graph
include "_core_parts/tensor.pxi"     # the Tensor class
include "_core_parts/run.pxi"        # backward and grad
include "_core_parts/fused.pxi"      # expressions written in place
include "_core_parts/public.pxi"     # what the other modules call
