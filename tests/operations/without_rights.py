"""Becomes the given command without capabilities: then not even root may write where permissions
forbid it."""

import ctypes
import os
import sys

CAPABILITIES = 64
PR_CAPBSET_DROP = 24

libc = ctypes.CDLL(None)
for capability in range(CAPABILITIES):
    libc.prctl(
        PR_CAPBSET_DROP, capability, 0, 0, 0
    )  # refused to those who have none, who need none dropped
os.execvp(sys.argv[1], sys.argv[1:])
