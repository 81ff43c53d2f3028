-- SPDX-License-Identifier: Apache-2.0
-- accepted: STARTTLS and AUTH on 587, TLS at once on 465, mail from others on 25, audit mode, a port that is nobody's
dofile(SCRIPTS .. "/common.lua")
script(function()
   for _, case in ipairs({{"587", TLS_AND_AUTH, SMFIR_CONTINUE}, {"465", TLS_AND_AUTH, SMFIR_CONTINUE}, {"25", nil, SMFIR_ACCEPT},
                          {"25", TLS, SMFIR_ACCEPT}, {"2525", nil, SMFIR_CONTINUE}, {"9999", nil, SMFIR_ACCEPT}}) do
      for _, flags in ipairs({false, "EE a"}) do
         local conn = connected(case[1], flags)
         helo(conn, case[2])
         mail(conn, case[2], case[3])
         mt.disconnect(conn)
      end
   end
end)
