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
            "usage: mailreeve setup sendmail [-c FILE] [--directory DIR] [--mc FILE]\n"
            "                                [--mode audit|enforce] [--print]\n"
            "Tells what to put where so that Sendmail asks mailreeve-milter, made for the daemons\n"
            "that your sendmail.mc has. It changes nothing.\n"
            "  -c FILE          where mailreeve.yaml is to be (default " CONFIG_PATH ")\n"
            "  --directory DIR  Sendmail's configuration (default /etc/mail)\n"
            "  --mc FILE        the .mc file (default sendmail.mc in that directory)\n"
            "  --mode MODE      audit (default): nothing is refused that was not before;\n"
            "                   enforce: also no AUTH on port 25, and no password without TLS\n"
            "  --print          only the lines for the .mc file\n"
            "  -h               this help\n"
            "Exit code: 0, 64 a wrong option, 66 there is nothing to read.\n");
}

static bool take_mode(const char *word, enum mode *ret)
{
    for (int m = 0; m < MODE_COUNT; m++)
        if (strcmp(word, mode_names[m]) == 0) {
            *ret = (enum mode)m;
            return true;
        }
    fprintf(stderr, "mailreeve setup sendmail: --mode %s is neither audit nor enforce\n", word);
    return false;
}

int cli_setup_sendmail(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"directory", required_argument, NULL, 'd'},
        {"mc", required_argument, NULL, 'm'},
        {"mode", required_argument, NULL, 'M'},
        {"print", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct setup_sendmail o = {.directory = "/etc/mail", .yaml = CONFIG_PATH, .mode = MODE_AUDIT};
    struct err e;
    int option;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c': o.yaml = optarg; break;
        case 'd': o.directory = optarg; break;
        case 'm': o.mc = optarg; break;
        case 'M':
            if (!take_mode(optarg, &o.mode))
                return EX_USAGE;
            break;
        case 'p': o.snippet_only = true; break;
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
