/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve check: is the configuration right, and what does it do? */
#include <getopt.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "config/config_report.h"

static void usage(FILE *to)
{
    fprintf(to,
            "usage: mailreeve check [-c FILE] [--print] [--strict]\n"
            "Tells every mistake in the configuration, with its line, and what the policy does.\n"
            "  -c FILE    the configuration (default " CONFIG_PATH ")\n"
            "  --print    write the whole configuration, defaults included, as a file\n"
            "  --strict   exit with 1 if there are warnings\n"
            "  -h         this help\n"
            "Exit code: 0 it can be used, 78 it cannot, 1 see --strict.\n");
}

int cmd_check(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"print", no_argument, NULL, 'p'},
        {"strict", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *path = CONFIG_PATH;
    int flags = 0, option;
    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c': path = optarg; break;
        case 'p': flags |= CHECK_PRINT; break;
        case 's': flags |= CHECK_STRICT; break;
        case 'h': usage(stdout); return EX_OK;
        default: usage(stderr); return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "mailreeve check: \"%s\": no arguments are expected\n", argv[optind]);
        usage(stderr);
        return EX_USAGE;
    }
    return check_report(path, flags, stdout, stderr);
}
