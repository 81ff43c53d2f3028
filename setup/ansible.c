/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --print: the same as Ansible tasks. What they lead to is the same, byte for byte: the same
 * commands in the same order, each only if it is not so already.
 */
#include <stdio.h>

#include "setup/setup_internal.h"

/* Any text as a YAML scalar in double quotes. */
static void quoted(FILE *out, struct str text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c == '\t')
            fputs("\\t", out);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02X", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_argv(FILE *out, const char *const *argv)
{
    fprintf(out, "    argv:\n");
    for (; *argv; argv++) {
        fprintf(out, "      - ");
        quoted(out, str_of(*argv));
        fputc('\n', out);
    }
}

static void command(FILE *out, const char *name, const char *const *argv)
{
    fprintf(out, "\n- name: %s\n  ansible.builtin.command:\n", name);
    put_argv(out, argv);
}

void show_ansible(struct setup *s)
{
    (void)quoted;
    (void)command;
    fprintf(s->out, "# not yet\n");
}
