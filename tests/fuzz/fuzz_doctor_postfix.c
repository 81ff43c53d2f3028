/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as main.cf and master.cf (divided by the first NUL): every check of
 * the doctor, with mailreeve.yaml's defaults and without. Each fault names a place, and no text is
 * without an end.
 */
#include <stdlib.h>

#include "doctor/postfix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void examine(struct str main_cf, struct str master_cf, const struct config *config)
{
    struct faults fs = {0};
    struct err e;
    struct doctor_view view;
    struct doctor_input in = {.directory = "/etc/postfix",
                              .yaml = config ? "mailreeve.yaml" : NULL,
                              .config = config,
                              .now_s = 1796000000,
                              .view = &view};
    struct exam *x = calloc(1, sizeof *x);
    if (x && postfix_parse(main_cf, master_cf, &x->p, &e) == 0) {
        x->in = &in, x->fs = &fs;
        exam_all(x);
        for (unsigned i = 0; i < fs.count; i++)
            if (fs.list[i].id >= FAULT_COUNT || !*fs.list[i].where ||
                !memchr(fs.list[i].evidence, 0, FAULT_TEXT))
                abort();
        postfix_free(&x->p);
    }
    free(x);
    faults_free(&fs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct config *config;
    struct problems problems = {0};
    if (!config) {
        config = config_parse((struct str){"", 0}, "mailreeve.yaml", &problems);
        problems_free(&problems);
    }
    const uint8_t *end = n ? memchr(data, 0, n) : NULL;
    size_t head = end ? (size_t)(end - data) : n;
    struct str main_cf = {(const char *)data, head};
    struct str master_cf = {end ? (const char *)end + 1 : NULL, end ? n - head - 1 : 0};
    if (n > 16384)
        return 0;
    examine(main_cf, master_cf, NULL);
    examine(main_cf, master_cf, config);
    return 0;
}
