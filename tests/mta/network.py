# SPDX-License-Identifier: Apache-2.0
"""A loopback network of one's own: with as many IPv6 addresses as one wants, and nobody else's packets for who looks on."""
import ctypes
import fcntl
import os
import socket
import struct

from daemons import HAVE_IPV6, Trouble

CLONE_NEWNET = 0x40000000                           # sched.h
GET_FLAGS, SET_FLAGS, SET_ADDRESS, IFF_UP = 0x8913, 0x8914, 0x8916, 1       # linux/sockios.h, net/if.h


def enter(addresses=()):
    """Take this process, and all that it starts from now on, into a network with nothing but `lo`. addresses: IPv6."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise Trouble(f"a network namespace cannot be had: {os.strerror(ctypes.get_errno())}")
    with socket.socket() as any_socket:
        name, flags = struct.unpack("16sh", fcntl.ioctl(any_socket, GET_FLAGS, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh", name, flags | IFF_UP))
    if HAVE_IPV6:
        with socket.socket(socket.AF_INET6) as any_socket:
            for address in addresses:
                fcntl.ioctl(any_socket, SET_ADDRESS, struct.pack("16sIi", address.packed, 128, socket.if_nametoindex("lo")))
