/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve setup sendmail: what to put where so that a Sendmail asks mailreeve-milter. */
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/setup_sendmail.h"
#include "setup/sendmail.h"

static void usage(FILE *to)
{
    fprintf(to,
            "usage: mailreeve setup sendmail [OPTIONS]\n"
            "Tells what to put where so that Sendmail asks mailreeve-milter, made for the daemons\n"
            "that your sendmail.mc has. It changes nothing.\n"
            "  -c DIR          Sendmail's configuration (default /etc/mail)\n"
            "  --mc FILE       the .mc file (default sendmail.mc in that directory)\n"
            "  --enforce       refuse; no AUTH on port 25, no password without TLS\n"
            "  --print         only the lines for the .mc file\n"
            "  --config FILE   mailreeve.yaml (default " CONFIG_PATH ")\n"
            "  -h              this help\n"
            "Exit code: 0, 64 a wrong option, 66 there is nothing to read.\n");
}

int cli_setup_sendmail(int argc, char **argv)
{
    enum { MC = 256, ENFORCE, PRINT, CONFIG };
    static const struct option long_options[] = {
        {"mc", required_argument, NULL, MC}, {"enforce", no_argument, NULL, ENFORCE},
        {"print", no_argument, NULL, PRINT}, {"config", required_argument, NULL, CONFIG},
        {"help", no_argument, NULL, 'h'},    {0},
    };
    struct setup_sendmail o = {.directory = "/etc/mail", .yaml = CONFIG_PATH, .mode = MODE_AUDIT};
    struct err e;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c': o.directory = optarg; break;
        case MC: o.mc = optarg; break;
        case ENFORCE: o.mode = MODE_ENFORCE; break;
        case PRINT: o.snippet_only = true; break;
        case CONFIG: o.yaml = optarg; break;
        case 'h': usage(stdout); return EX_OK;
        default: usage(stderr); return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "mailreeve setup sendmail: \"%s\": no arguments are expected\n",
                argv[optind]);
        usage(stderr);
        return EX_USAGE;
    }
    if (setup_sendmail(&o, stdout, &e)) {
        fprintf(stderr, "mailreeve setup sendmail: %s\n", e.text);
        return EX_NOINPUT;
    }
    return EX_OK;
}
