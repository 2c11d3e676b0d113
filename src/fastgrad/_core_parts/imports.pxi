# What the compiled backend uses of Python.

import gc
import sys

import numpy as np

from . import _errors
from weakref import ref as weakref_ref

from _thread import RLock
from contextvars import ContextVar

from ._methods import ROW_METHODS, GradientEdge, Handle, TensorMethods, frozen, lifted, plain, pow_call
from ._methods import note_number_taken
from ._trace import NotElementwise, forward_program, several_program, vjp_program
from .ops import TABLE, _stacks, _triangles
from .ops._row import Like
from .ops.classes import class_slope, softmax_parts
from .ops.indexing import Index
