/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --print: the same as Ansible tasks. They lead to the same files, byte for byte: the same
 * commands in the same order, each run only where postconf does not say so already.
 */
#include <stdio.h>

#include "setup/setup_internal.h"

/* Any text as a YAML scalar in double quotes; "!unsafe" where Ansible would take it for a template.
 */
static void quoted(FILE *out, struct str text)
{
    bool template = memmem(text.p, text.n, "{{", 2) || memmem(text.p, text.n, "{%", 2) ||
                    memmem(text.p, text.n, "{#", 2);
    fputs(template ? "!unsafe \"" : "\"", out);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02X", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void field(FILE *out, const char *name, const char *text)
{
    fprintf(out, "    %s: ", name);
    quoted(out, str_of(text));
    fputc('\n', out);
}

static void task(FILE *out, const char *what, const char *detail, const char *module)
{
    char name[700];
    snprintf(name, sizeof name, "Mailreeve: %s%s%s", what, *detail ? " " : "", detail);
    fprintf(out, "\n- name: ");
    quoted(out, str_of(name));
    fprintf(out, "\n  ansible.builtin.%s:\n", module);
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

/* ---- Postfix -------------------------------------------------------------------------- */

static void put_step(struct setup *s, const struct step *step, unsigned number)
{
    FILE *out = s->out;
    bool takes_out = step->kind == STEP_OPTION_OUT || step->kind == STEP_MAIN_OUT;
    bool service = step->kind == STEP_SERVICE;
    const char **argv = plan_command(s->plan, step, s->directory);
    char what[300], wanted[4096];
    snprintf(what, sizeof what, "%s%s%s", step->service ? step->service : "",
             step->service && step->name ? "/" : "", step->name ? step->name : "");
    const char *const look[] = {
        "postconf", "-c", s->directory, service ? "-M" : step->service ? "-P" : "-n", what, NULL};
    /* postconf says "name = value", and for no value "name =" once Ansible has trimmed it */
    snprintf(wanted, sizeof wanted, "%s =%s%s", what, step->value && *step->value ? " " : "",
             step->value ? step->value : "");
    if (!argv)
        return;
    task(out, "look at", what, "command");
    put_argv(out, look);
    fprintf(out, "  register: mailreeve_was_%u\n  changed_when: false\n  check_mode: false\n",
            number);
    task(out, takes_out ? "take out" : "set", what, "command");
    put_argv(out, argv);
    fprintf(out, "  register: mailreeve_step_%u\n", number);
    if (takes_out || service) {
        fprintf(out, "  when: mailreeve_was_%u.stdout | length %s 0\n", number,
                takes_out ? ">" : "==");
    } else {
        fprintf(out, "  when: mailreeve_was_%u.stdout != mailreeve_wanted\n", number);
        fprintf(out, "  vars:\n");
        field(out, "mailreeve_wanted", wanted);
    }
}

static void put_postfix(struct setup *s)
{
    const struct plan *p = s->plan;
    const char *const commands[2][5] = {{"postfix", "-c", s->directory, "check", NULL},
                                        {"postfix", "-c", s->directory, "reload", NULL}};
    for (unsigned i = 0; i < p->step_count * STEP_KINDS; i++)
        if (p->steps[i % p->step_count].kind == i / p->step_count)
            put_step(s, &p->steps[i % p->step_count], i % p->step_count + 1);
    for (int k = 0; k < 2 && p->step_count; k++) {
        task(s->out, commands[k][0], commands[k][3], "command");
        put_argv(s->out, commands[k]);
        fprintf(s->out, "  changed_when: %s\n  when: ", k ? "true" : "false");
        for (unsigned i = 0; i < p->step_count; i++)
            fprintf(s->out, "%smailreeve_step_%u is changed", i ? " or " : "", i + 1);
        fputc('\n', s->out);
    }
}

/* ---- Mailreeve ---------------------------------------------------------------------------- */

static void put_yaml(struct setup *s)
{
    char mode[16];
    char folder[600];
    snprintf(folder, sizeof folder, "%.590s", s->paths[YAML]);
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        task(s->out, "the directory of", s->paths[YAML], "file");
        field(s->out, "path", folder);
        field(s->out, "state", "directory");
    }
    snprintf(mode, sizeof mode, "%04o", (unsigned)s->then[YAML].mode);
    task(s->out, "write", s->paths[YAML], "copy");
    field(s->out, "dest", s->paths[YAML]);
    field(s->out, "mode", mode);
    fprintf(s->out, "    content: ");
    quoted(s->out, s->then[YAML].text);
    fprintf(s->out, "\n  register: mailreeve_yaml\n");
}

static void put_daemons(struct setup *s)
{
    static const char *const when[] = {"", " and mailreeve_yaml is changed"};
    for (int i = 0; i < DAEMONS; i++) {
        const struct daemon_site *d = &daemons[i];
        char folder[600], mode[16];
        if (!(s->options.with & d->with))
            continue;
        snprintf(folder, sizeof folder, "%.400s/%s",
                 postfix_text(&s->postfix, NULL, "queue_directory"), d->folder);
        snprintf(mode, sizeof mode, "%04o", (unsigned)d->mode);
        task(s->out, "the directory of its socket,", folder, "file");
        field(s->out, "path", folder);
        field(s->out, "state", "directory");
        field(s->out, "owner", d->program);
        field(s->out, "group", s->options.group);
        field(s->out, "mode", mode);
        for (int k = 0; k < 2; k++) {
            task(s->out, k ? "reload" : "start", d->program, "systemd_service");
            field(s->out, "name", d->program);
            field(s->out, "state", k ? "reloaded" : "started");
            if (!k)
                fprintf(s->out, "    enabled: true\n");
            fprintf(s->out, "  when: ansible_facts['service_mgr'] == 'systemd'%s\n", when[k]);
        }
    }
}

void show_ansible(struct setup *s)
{
    fprintf(s->out,
            "# Ansible tasks: what `mailreeve setup postfix` would do on this machine, made by\n"
            "# mailreeve %s for Postfix %u.%u.%u in %s. Mailreeve has to be installed, and\n"
            "# without systemd its programs have to be started, before Postfix asks them.\n",
            MAILREEVE_VERSION, s->postfix.version / 10000, s->postfix.version / 100 % 100,
            s->postfix.version % 100, s->directory);
    if (s->plan->idle) {
        fprintf(s->out, "[]\n");
        return;
    }
    put_yaml(s);
    put_daemons(s);
    put_postfix(s);
}
