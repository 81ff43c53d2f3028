/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of `mailreeve`: one file each; main.c lists them. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#define CONFIG_PATH "/etc/mailreeve/mailreeve.yaml"

/* Each reads its own options with getopt_long() and returns the exit code (sysexits). */
int cmd_audit(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_setup(int argc, char **argv);
int cmd_status(int argc, char **argv);

#endif
