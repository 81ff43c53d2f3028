/* SPDX-License-Identifier: Apache-2.0 */
/* mailreeve-tap: looks on how clients begin their sessions, and says who uses the wrong mode. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tap/read.h"

int main(int argc, char **argv)
{
    struct read_options o = {.file = argv[2], .json = argc > 3};
    return read_capture(&o);
}
