#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The milter protocol over real sockets, from the MTA's side: what is negotiated, what is answered, what is recorded,
and that nothing a peer sends makes it fall, hang, or answer another session wrongly."""
import milterd
# These register their tests.
import crowds  # noqa: F401
import disorder  # noqa: F401
import findings  # noqa: F401
import miltertest  # noqa: F401
import negotiation  # noqa: F401
import places  # noqa: F401
import verdicts  # noqa: F401
from daemon import expect, main, test


@test
def alive():
    """after all that the same process is alive, ends with exit code 0, and no sanitizer has said anything"""
    milterd.shared().end()
    expect(not milterd.fallen, "; ".join(milterd.fallen))


main()
