-- SPDX-License-Identifier: Apache-2.0
-- MTAs that know less: version 2, no lists of ours; what such an MTA does not tell is unknown, what it tells counts
dofile(SCRIPTS .. "/common.lua")
script(function()
   -- version, actions, protocol, the answer to MAIL without TLS
   for _, offer in ipairs({{2, 0x3f, 0x7f, SMFIR_CONTINUE}, {6, 0xff, 0x1fffff, SMFIR_CONTINUE},
                           {6, 0x1ff, 0x7f, SMFIR_REPLYCODE}, {6, 0x1ff, 0x1fffff, SMFIR_REPLYCODE}}) do
      for _, case in ipairs({{nil, offer[4]}, {TLS_AND_AUTH, SMFIR_CONTINUE}}) do
         local conn = mt.connect(SOCKET)
         -- miltertest 1.6.0 sends its third argument as the protocol and its fourth as the actions
         ok(mt.negotiate(conn, offer[1], offer[3], offer[2]), "negotiation")
         mt.macro(conn, SMFIC_CONNECT, "j", "mx", "v", "8.17.1.9", "{daemon_name}", "submission", "{daemon_port}", "587")
         ok(mt.conninfo(conn, "client.example.com", "192.0.2.17"), "CONNECT")
         helo(conn, case[1])
         mail(conn, case[1], case[2])
         mt.disconnect(conn)
      end
   end
end)
