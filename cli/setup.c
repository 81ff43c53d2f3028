/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve setup: plugs Mailreeve into an MTA, and takes it out again. */
#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/setup_sendmail.h"
#include "setup/setup.h"

/* ---- setup postfix -------------------------------------------------------------------- */

static void usage(FILE *to)
{
    fprintf(to,
            "usage: mailreeve setup postfix [OPTIONS]\n"
            "Plugs Mailreeve into Postfix: shows what it would change, asks, does it, looks "
            "whether it\n"
            "works. Nobody is refused before --enforce.\n"
            "  -c DIR              config_directory of the instance (default: postconf's)\n"
            "  --with WHAT         policyd (default), milter or both\n"
            "  --enforce           refuse; no AUTH on port 25, no password without TLS\n"
            "  --keep-auth-on-25   leave AUTH on port 25 on, also with --enforce\n"
            "  --open PORT[=ROLE]  add 465, 587, 2525, or another as submission or submissions\n"
            "  --no-trust          do not trust who submits without AUTH today (mynetworks)\n"
            "  --yes               do not ask\n"
            "  --dry-run           only show; with --undo, too\n"
            "  --print             Ansible tasks that do the same\n"
            "  --undo              everything as it was before\n"
            "  --config FILE       mailreeve.yaml (default " CONFIG_PATH ")\n"
            "  --state DIR         what undo needs (default " SETUP_STATE ")\n"
            "  -h                  this help\n"
            "Exit code: 0 done or nothing to do, 1 not done, 65, 69, 75, 77, 78: "
            "mailreeve-setup(8).\n");
}

enum { WITH = 256, ENFORCE, KEEP_AUTH, OPEN, NO_TRUST, YES, DRY_RUN, PRINT, UNDO, CONFIG, STATE };

static int wrong(const char *option, const char *given, const char *help)
{
    fprintf(stderr, "mailreeve setup: %s \"%s\": %s\n", option, given, help);
    return -1;
}

static int take_with(struct setup_options *o, const char *text)
{
    static const char *const words[] = {"policyd", "milter", "both"};
    int i = name_index(words, 3, str_of(text));
    if (i < 0)
        return wrong("--with", text, "policyd, milter or both");
    o->plan.with = (unsigned)i + 1;
    return 0;
}

static int take_open(struct setup_options *o, const char *text)
{
    static const char *const help =
        "465, 587, 2525, or another PORT=submission or PORT=submissions";
    struct str role = str_of(text), port = str_cut(&role, "=");
    uint64_t number;
    enum role found = ROLE_SMTP;
    if (o->plan.open_count == PLAN_OPEN || !str_to_u64(port, UINT16_MAX, &number) || number == 0)
        return wrong("--open", text, help);
    if (role.p) {
        int i = name_index(role_names, ROLE_COUNT, role);
        if (i < 0 || i == ROLE_SMTP)
            return wrong("--open", text, help);
        found = (enum role)i;
    } else if (!plan_can_open((uint16_t)number, &found)) {
        return wrong("--open", text, help);
    }
    o->plan.open[o->plan.open_count].port = (uint16_t)number;
    o->plan.open[o->plan.open_count++].role = found;
    return 0;
}

static int setup_postfix_command(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"with", required_argument, NULL, WITH},
        {"enforce", no_argument, NULL, ENFORCE},
        {"keep-auth-on-25", no_argument, NULL, KEEP_AUTH},
        {"open", required_argument, NULL, OPEN},
        {"no-trust", no_argument, NULL, NO_TRUST},
        {"yes", no_argument, NULL, YES},
        {"dry-run", no_argument, NULL, DRY_RUN},
        {"print", no_argument, NULL, PRINT},
        {"undo", no_argument, NULL, UNDO},
        {"config", required_argument, NULL, CONFIG},
        {"state", required_argument, NULL, STATE},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct setup_options o = {
        .yaml = CONFIG_PATH, .state = SETUP_STATE, .plan = {.with = WITH_POLICYD, .trust = true}};
    bool undo = false;
    int option, bad = 0;
    while (!bad && (option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c': o.directory = optarg; break;
        case WITH: bad = take_with(&o, optarg); break;
        case ENFORCE: o.plan.enforce = true; break;
        case KEEP_AUTH: o.plan.keep_auth_on_25 = true; break;
        case OPEN: bad = take_open(&o, optarg); break;
        case NO_TRUST: o.plan.trust = false; break;
        case YES: o.how = SETUP_YES; break;
        case DRY_RUN: o.how = SETUP_DRY_RUN; break;
        case PRINT: o.how = SETUP_PRINT; break;
        case UNDO: undo = true; break;
        case CONFIG: o.yaml = optarg; break;
        case STATE: o.state = optarg; break;
        case 'h': usage(stdout); return EX_OK;
        default: bad = 1;
        }
    }
    if (!bad && optind < argc)
        bad = wrong("argument", argv[optind], "none is expected");
    if (bad) {
        usage(stderr);
        return EX_USAGE;
    }
    return undo ? setup_postfix_undo(&o, stdout, stderr) : setup_postfix(&o, stdout, stderr);
}

/* ---- which MTA --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} mtas[] = {
    {"postfix", setup_postfix_command},
    {"sendmail", cli_setup_sendmail},
};

int cmd_setup(int argc, char **argv)
{
    for (unsigned i = 0; argc > 1 && i < sizeof mtas / sizeof *mtas; i++)
        if (strcmp(argv[1], mtas[i].name) == 0)
            return mtas[i].run(argc - 1, argv + 1);
    bool help = argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
    if (argc > 1 && !help)
        fprintf(stderr, "mailreeve setup: there is no MTA \"%s\"; postfix, sendmail\n", argv[1]);
    usage(help ? stdout : stderr);
    return help ? EX_OK : EX_USAGE;
}
