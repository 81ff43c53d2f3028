/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol's header, versions 1 and 2 (HAProxy, "The PROXY protocol", 2020): what a proxy
 * in front of the MTA tells of the client, before the client's first byte.
 *
 * Whoever connects can send one: ask for it only where a proxy is configured to be.
 *
 * Pure; any thread. Nothing is allocated, nothing is kept.
 */
#ifndef CORE_WIRE_PROXY_HEADER_H
#define CORE_WIRE_PROXY_HEADER_H

#include "core/net.h"

struct proxy_header {
    bool told; /* false: LOCAL, UNKNOWN or a family that has no ports: the connection speaks for
                  itself */
    struct addr client, server;
    uint16_t client_port, server_port;
};

/* MORE: it may become one; NONE: these bytes begin no header; BAD: they do, and it is wrong. */
enum proxy_result { PROXY_MORE, PROXY_ITEM, PROXY_NONE, PROXY_BAD };

/* *ret and *ret_used (its bytes, TLVs included) are set with ITEM only. Version 1: at most 107
 * bytes; version 2: at most 16 + 65535, of which only the addresses are looked at. */
enum proxy_result proxy_header_parse(struct str bytes, struct proxy_header *ret, size_t *ret_used);

#endif
