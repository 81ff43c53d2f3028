/* SPDX-License-Identifier: Apache-2.0 */
/* The word `sendmail` of `mailreeve setup`: argv[0] is that word. Returns the exit code (sysexits).
 */
#ifndef CLI_SETUP_SENDMAIL_H
#define CLI_SETUP_SENDMAIL_H

int cli_setup_sendmail(int argc, char **argv);

#endif
