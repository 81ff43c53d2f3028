/* SPDX-License-Identifier: Apache-2.0 */
#include "milterms.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <string.h>

static uint32_t number_at(const char *data)
{
    uint32_t n;

    memcpy(&n, data, sizeof(n));
    return ntohl(n);
}

int milterms_read(struct milterms *terms, const char *data, size_t size)
{
    const uint32_t needed = SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOBODY;
    const uint32_t refused = SMFIP_NOMAIL | SMFIP_NR_MAIL | SMFIP_NR_EOH;
    const char *at = data + 12, *end = data + size;

    memset(terms, 0, sizeof(*terms));
    if (size < 12)
        return -1;
    terms->version = number_at(data);
    terms->actions = number_at(data + 4);
    terms->steps = number_at(data + 8);
    while (at < end) {
        const char *list = at + 4, *nul;

        if (end - at < 5 || number_at(at) >= MILTERMS_STAGES ||
            (nul = memchr(list, '\0', (size_t)(end - list))) == NULL || nul - list >= MILTERMS_LIST)
            return -1;
        memcpy(terms->list[number_at(at)], list, (size_t)(nul - list) + 1);
        at = nul + 1;
    }
    return terms->version == SMFI_PROT_VERSION && (terms->actions & ~SMFI_CURR_ACTS) == 0 &&
                   (terms->steps & ~SMFI_CURR_PROT) == 0 && (terms->steps & needed) == needed &&
                   (terms->steps & refused) == 0
               ? 0
               : -1;
}
