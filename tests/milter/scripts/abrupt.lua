-- SPDX-License-Identifier: Apache-2.0
-- sessions that end without a goodbye, at every stage: the next one is served
dofile(SCRIPTS .. "/common.lua")
script(function()
   for stage = 1, 4 do
      local conn = connected("587")
      if stage > 1 then helo(conn, TLS) end
      if stage > 2 then mail(conn, TLS_AND_AUTH, SMFIR_CONTINUE) end
      if stage > 3 then ok(mt.header(conn, "Subject", "t"), "Subject") end
      mt.disconnect(conn, false)
   end
   local conn = connected("587")
   helo(conn)
   mail(conn, nil, SMFIR_REPLYCODE)
   mt.disconnect(conn)
end)
