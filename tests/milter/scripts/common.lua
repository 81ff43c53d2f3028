-- SPDX-License-Identifier: Apache-2.0
-- What the scripts share. miltertest (of OpenDKIM) is the MTA's side by other hands than wire.py's. It shows a reply's
-- letter only, so the texts are wire.py's to check. Given by the runner: SOCKET, SCRIPTS.

local unpack = unpack or table.unpack

TLS = {"{tls_version}", "TLSv1.3", "{cipher}", "TLS_AES_256_GCM_SHA384", "{cipher_bits}", "256"}
AUTH = {"{auth_type}", "PLAIN", "{auth_authen}", "alice@example.com"}
TLS_AND_AUTH = {"{tls_version}", "TLSv1.3", "{cipher}", "TLS_AES_256_GCM_SHA384", "{cipher_bits}", "256",
                "{auth_type}", "PLAIN", "{auth_authen}", "alice@example.com"}

-- The body of a script; what goes wrong in it is told, and is the script's failure.
function script(body)
   local fine, trouble = pcall(body)
   if not fine then
      mt.echo(trouble)
      os.exit(1)
   end
end

function ok(trouble, what)
   if trouble ~= nil then
      error(what .. ": " .. trouble, 2)
   end
end

function answered(conn, code, what)
   if mt.getreply(conn) ~= code then
      error(what .. " was answered " .. string.char(mt.getreply(conn)) .. ", not " .. string.char(code), 2)
   end
end

-- A session as far as CONNECT, of Postfix on that port, or of Sendmail if `flags` ({daemon_flags}) are given.
function connected(port, flags)
   local conn = mt.connect(SOCKET)
   if conn == nil then
      error("no connection to " .. SOCKET)
   end
   mt.macro(conn, SMFIC_CONNECT, "j", "mx.example.test", "v", flags and "8.17.1.9" or "Postfix 3.7.11",
            "{daemon_name}", flags and "MSA" or "mx.example.test", "{daemon_addr}", "198.51.100.1", "{daemon_port}", port,
            "{daemon_flags}", flags or "")
   ok(mt.conninfo(conn, "client.example.com", "192.0.2.17"), "CONNECT")
   return conn
end

function helo(conn, macros)
   if macros then
      mt.macro(conn, SMFIC_HELO, unpack(macros))
   end
   ok(mt.helo(conn, "client.example.com"), "HELO")
end

-- MAIL with these macros, which must be answered so.
function mail(conn, macros, code)
   mt.macro(conn, SMFIC_MAIL, "i", "Q1", unpack(macros or {}))
   ok(mt.mailfrom(conn, "<alice@example.com>"), "MAIL")
   answered(conn, code, "MAIL")
end
