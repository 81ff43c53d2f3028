/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve: the one command line for people. */
#include "cli/cli.h"

#include <string.h>
#include <sysexits.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"audit", cmd_audit, "mail logs: who uses the wrong port or TLS mode, and what to change"},
    {"check", cmd_check, "is the configuration right, and what does it do?"},
    {"doctor", cmd_doctor, "is the MTA set up as it should be, with Mailreeve in it?"},
    {"explain", cmd_explain, "one session: every rule's outcome, and what decided"},
    {"probe", cmd_probe, "the ports of a mail server, asked as clients do: what is wrong"},
    {"setup", cmd_setup, "plugs Mailreeve into an MTA, and takes it out again"},
    {"status", cmd_status, "what the daemons are doing"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *to)
{
    fprintf(to, "usage: mailreeve COMMAND [OPTIONS]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\n`mailreeve COMMAND -h` tells the options; mailreeve -V the version.\n");
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "-V") == 0 || strcmp(name, "--version") == 0) {
        printf("mailreeve %s\n", MAILREEVE_VERSION);
        return EX_OK;
    }
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        usage(stdout);
        return EX_OK;
    }
    if (*name)
        fprintf(stderr, "mailreeve: there is no command \"%s\"\n", name);
    usage(stderr);
    return EX_USAGE;
}
