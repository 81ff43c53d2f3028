-- SPDX-License-Identifier: Apache-2.0
-- refused: no TLS, no AUTH, a password in clear text, AUTH on port 25; on Postfix and on Sendmail
dofile(SCRIPTS .. "/common.lua")
script(function()
   for _, case in ipairs({{"587", nil}, {"587", TLS}, {"587", AUTH}, {"25", AUTH}, {"25", TLS_AND_AUTH}, {"465", TLS},
                          {"3587", nil}, {"3587", TLS}}) do
      for _, flags in ipairs({false, "EE a"}) do
         local conn = connected(case[1], flags)
         helo(conn, case[2])
         mail(conn, case[2], SMFIR_REPLYCODE)
         mt.disconnect(conn)
      end
   end
end)
