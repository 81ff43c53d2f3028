/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over a corpus without a fuzzer: each file as it is, and
 * cut short at every one of its first bytes. One TAP line a file.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { LARGEST = 2 * 1024 * 1024, CUTS = 512 };

/* An exact copy on the heap, so that a sanitizer sees the first byte read behind it. */
static void run(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int is_file(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    static uint8_t bytes[LARGEST];
    struct dirent **list;
    int count = argc == 2 ? scandir(argv[1], &list, is_file, alphasort) : -1;
    if (count < 0) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 64;
    }
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], list[i]->d_name);
        FILE *f = fopen(path, "rb");
        size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
        if (f)
            fclose(f);
        for (size_t cut = 0; cut < n && cut < CUTS; cut++)
            run(bytes, cut);
        run(bytes, n);
        printf("%s %d - %s\n", f ? "ok" : "not ok", i + 1, list[i]->d_name);
        fflush(stdout);
        free(list[i]);
    }
    free(list);
    return 0;
}
