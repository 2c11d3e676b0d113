# Work on several threads: csrc/threads.c.

def set_num_threads(int count):
    fg_threads_set(count)


def get_num_threads():
    return fg_threads_get()


cdef int ask_foreign() except -1:
    """Before SciPy's loops: they may share the work out where what they would report is ignored (its default)."""
    global fg_share_foreign
    special = sys.modules.get("scipy.special")
    if special is None:
        fg_share_foreign = False
    else:
        fg_share_foreign = all([action == "ignore" for action in special.geterr().values()])
    return 0
