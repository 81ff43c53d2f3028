/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve.yaml, as doctor sees it: a file that cannot be used is one fault more. */
#include "doctor/doctor.h"

enum { SHOWN = 5 };

struct config *doctor_configuration(const char *yaml, struct faults *fs)
{
    struct problems problems = {0};
    struct config *c = config_load(yaml, &problems);
    unsigned shown = 0;
    for (unsigned i = 0; !c && i < problems.count && shown < SHOWN; i++) {
        const struct problem *p = &problems.list[i];
        if (p->severity != SEVERITY_ERROR)
            continue;
        struct fault *f = fault_add(fs, FAULT_CONFIGURATION_WRONG);
        if (p->line)
            fault_where(f, "%s:%u", p->file, p->line);
        else
            fault_where(f, "%s", yaml);
        fault_evidence(f, "%s", p->text);
        fault_detail(f, "%s", p->help);
        if (++shown == 1)
            fault_fix(f, "mailreeve check -c %s", yaml);
    }
    problems_free(&problems);
    return c;
}
