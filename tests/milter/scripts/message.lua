-- SPDX-License-Identifier: Apache-2.0
-- a whole message: headers are wanted until the software is known, recipients, DATA and body are not, and it ends with ACCEPT
dofile(SCRIPTS .. "/common.lua")
script(function()
   local conn = connected("587")
   for _, option in ipairs({SMFIP_NORCPT, SMFIP_NODATA, SMFIP_NOBODY, SMFIP_NR_CONN, SMFIP_NR_HDR}) do
      if not mt.test_option(conn, option) then
         error("the option " .. option .. " was not asked for")
      end
   end
   for _, option in ipairs({SMFIP_NOHDRS, SMFIP_NOEOH, SMFIP_NOMAIL, SMFIP_NR_MAIL}) do
      if mt.test_option(conn, option) then
         error("the option " .. option .. " was asked for")
      end
   end
   for _, action in ipairs({SMFIF_ADDHDRS, SMFIF_CHGHDRS, SMFIF_CHGBODY, SMFIF_ADDRCPT, SMFIF_DELRCPT, SMFIF_QUARANTINE}) do
      if mt.test_action(conn, action) then
         error("the action " .. action .. " was asked for")
      end
   end
   helo(conn, TLS)
   mail(conn, TLS_AND_AUTH, SMFIR_CONTINUE)
   ok(mt.header(conn, "Subject", "t"), "Subject")
   ok(mt.header(conn, "User-Agent", "Mutt/2.2.9"), "User-Agent")
   ok(mt.eoh(conn), "the end of the headers")
   answered(conn, SMFIR_ACCEPT, "the end of the headers")
   mail(conn, TLS_AND_AUTH, SMFIR_ACCEPT)
   mt.disconnect(conn)
end)
