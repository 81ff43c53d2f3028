-- SPDX-License-Identifier: Apache-2.0
-- unknown commands, a ClientHello among them: CONTINUE, at any time, and the session goes on
dofile(SCRIPTS .. "/common.lua")
script(function()
   local conn = connected("587", "EE a")
   for _, text in ipairs({"FOO", "\22\3\1\2", "\22\3\1\2", "x"}) do
      ok(mt.unknown(conn, text), "an unknown command")
      answered(conn, SMFIR_CONTINUE, "an unknown command")
   end
   helo(conn, TLS)
   ok(mt.unknown(conn, "FOO"), "an unknown command")
   mail(conn, TLS_AND_AUTH, SMFIR_CONTINUE)
   mt.disconnect(conn)
end)
