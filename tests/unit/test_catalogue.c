/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client software catalogue: header values and EHLO arguments of real mail with
 * what they must give, written by hand; hostile ones; and the data itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/buf.h"
#include "core/catalogue.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct expected {
    const char *value, *id /* NULL: not recognised */, *version;
};

/* As they stood in User-Agent and X-Mailer. */
static const struct expected headers[] = {
    /* Apple */
    {"iPhone Mail (19C63)", "iphone-mail", "19C63"},
    {"iPhone Mail (22A3351)", "iphone-mail", "22A3351"},
    {"iPhone Mail (23A355)", "iphone-mail", "23A355"},
    {"iPhone Mail (17A5831c)", "iphone-mail", "17A5831c"},
    {"iPhone Mail (16B92)", "iphone-mail", "16B92"},
    {"iPad Mail (22D82)", "ipad-mail", "22D82"},
    {"Apple Mail (2.753)", "apple-mail", "2.753"},
    {"Apple Mail (2.935.3)", "apple-mail", "2.935.3"},
    {"Apple Mail (2.1076)", "apple-mail", "2.1076"},
    {"Apple Mail (2.3445.1.7)", "apple-mail", "2.3445.1.7"},
    /* Microsoft */
    {"Microsoft Outlook 16.0", "outlook", "16.0"},
    {"Microsoft Office Outlook 12.0", "outlook", "12.0"},
    {"Microsoft Office Outlook 11", "outlook", "11"},
    {"Microsoft Office Outlook, Build 11.0.5510", "outlook", "11.0.5510"},
    {"Microsoft Outlook, Build 10.0.6626", "outlook", "10.0.6626"},
    {"Microsoft Outlook, Build 11.0.4920", "outlook", "11.0.4920"},
    {"Microsoft Outlook Express 6.00.2900.5931", "outlook-express", "6.00.2900.5931"},
    {"Microsoft Outlook Express 6.00.2600.0000", "outlook-express", "6.00.2600.0000"},
    {"Microsoft Outlook Express 5.00.2919.6700", "outlook-express", "5.00.2919.6700"},
    {"Microsoft Outlook Express 4.72.3110.5", "outlook-express", "4.72.3110.5"},
    {"Microsoft Windows Live Mail 14.0.8117.416", "windows-live-mail", "14.0.8117.416"},
    {"Microsoft-MacOutlook/16.96.25042021", "outlook-mac", "16.96.25042021"},
    {"Microsoft-MacOutlook/16.53.21091200", "outlook-mac", "16.53.21091200"},
    {"Microsoft-MacOutlook/10.22.0.200209", "outlook-mac", "10.22.0.200209"},
    {"Microsoft SharePoint Foundation 2010", "sharepoint", "2010"},
    /* Mozilla, and mail programs of Linux and Windows */
    {"Mozilla Thunderbird", "thunderbird", ""},
    {"Mozilla Thunderbird 1.0.2 (X11/20050322)", "thunderbird", "1.0.2"},
    {"Mozilla Thunderbird 1.0.6 (Windows/20050716)", "thunderbird", "1.0.6"},
    {"Mozilla/5.0 (X11; Linux x86_64; rv:24.0) Gecko/20100101 Thunderbird/24.5.0", "thunderbird",
     "24.5.0"},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:102.0)\n Gecko/20100101 Thunderbird/102.5.0",
     "thunderbird", "102.5.0"},
    {"Mozilla/5.0 (X11; Linux x86_64; rv:68.0) Gecko/20100101\r\n\tThunderbird/68.3.0",
     "thunderbird", "68.3.0"},
    {"Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.4.1) Gecko/20031029", NULL, ""},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/120.0.0.0 Safari/537.36",
     NULL, ""},
    {"Mozilla 4.01 [en] (Win95; I)", "netscape", "4.01"},
    {"Thunderbird for Android", "thunderbird-android", ""},
    {"K-9 Mail for Android", "k9-mail", ""},
    {"Evolution 3.46.4-2", "evolution", "3.46.4-2"},
    {"Evolution/0.10 (Preview Release)", "evolution", "0.10"},
    {"Mutt/1.5.3i", "mutt", "1.5.3i"},
    {"NeoMutt/20180716", "neomutt", "20180716"},
    {"NeoMutt/20231221-2-4202cf-dirty", "neomutt", "20231221-2-4202cf-dirty"},
    {"Claws Mail 4.3.0 (GTK 3.24.42; x86_64-w64-mingw32)", "claws-mail", "4.3.0"},
    {"Claws Mail 3.13.1 (GTK+ 2.24.29; x86_64-pc-linux-gnu)", "claws-mail", "3.13.1"},
    {"KMail/4.14.1 (Linux/3.16.0-4-amd64; KDE/4.14.2; x86_64; ; )", "kmail", "4.14.1"},
    {"KMail/1.9.9", "kmail", "1.9.9"},
    {"Gnus/5.13 (Gnus v5.13)", "gnus", "5.13"},
    {"Gnus/5.0808 (Gnus v5.8.8) XEmacs/21.4 (Common Lisp)", "gnus", "5.0808"},
    {"Wanderlust/2.9.15 (Unchained Melody)", "wanderlust", "2.9.15"},
    {"eM_Client/9.2.1735.0", "em-client", "9.2.1735.0"},
    {"eM_Client/7.2.37929.0", "em-client", "7.2.37929.0"},
    {"Foxmail 7.2.25.254[cn]", "foxmail", "7.2.25.254"},
    {"Foxmail 7, 2,53, 24[cn]", "foxmail", "7"},
    {"Foxmail 7.2.10.151[en]", "foxmail", "7.2.10.151"},
    {"QUALCOMM Windows Eudora Version 5.1", "eudora", "5.1"},
    {"Windows Eudora Pro Version 3.0 (32)", "eudora", "3.0"},
    {"AOL 5.0 for Mac sub 46", "aol", "5.0"},
    {"Juno 5.0.33", "juno", "5.0.33"},
    /* webmail and groupware */
    {"Roundcube Webmail/1.2-git", "roundcube", "1.2-git"},
    {"RainLoop/1.11.3", "rainloop", "1.11.3"},
    {"SquirrelMail (version 1.0.6)", "squirrelmail", "1.0.6"},
    {"SquirrelMail/1.4.8-4.0.1.el4.centos", "squirrelmail", "1.4.8-4.0.1.el4.centos"},
    {"Zimbra 6.0.1_GA_1816.UBUNTU8_64 (ZimbraWebClient - FF3.0 (Linux)/6.0.1_GA_1816)", "zimbra",
     "6.0.1"},
    {"YahooMailClassic/8.1.6 YahooMailWebService/0.8.100.260964", "yahoo-mail", "8.1.6"},
    {"Novell GroupWise Internet Agent 6.0.2", "groupwise", "6.0.2"},
    {"OTRS Mail Service (2.2.5)", "otrs", "2.2.5"},
    {"JitbitHelpdesk.13439", "jitbit-helpdesk", "13439"},
    {"vBulletin Mail via PHP", "vbulletin", ""},
    {"Lyris ListManager Web Interface", "lyris-listmanager", ""},
    {"MailChimp/Pro 12.345", "mailchimp", "12.345"},
    /* programs, libraries, devices */
    {"PHPMailer 6.5.0 (https://github.com/PHPMailer/PHPMailer)", "phpmailer", "6.5.0"},
    {"PHPMailer 5.2.17 (https://github.com/PHPMailer/PHPMailer)", "phpmailer", "5.2.17"},
    {"PHPMailer 6.1.7 (https://github.com/PHPMailer/PHPMailer)", "phpmailer", "6.1.7"},
    {"WPMailSMTP/Mailer/smtp 4.7.1", "wp-mail-smtp", "4.7.1"},
    {"WPMailSMTP/Mailer/smtp 1.3.2", "wp-mail-smtp", "1.3.2"},
    {"PHP/5.2.6", "php", "5.2.6"},
    {"nodemailer (1.10.0; +http://www.nodemailer.com; Stub/1.0.0)", "nodemailer", "1.10.0"},
    {"MIME::Lite 3.028 (F2.82; A2.11; B3.13; Q3.13)", "mime-lite", "3.028"},
    {"MIME-tools 5.505 (Entity 5.505)", "mime-tools", "5.505"},
    {"git-send-email 2.14.4.44.g2045bb6", "git-send-email", "2.14.4.44.g2045bb6"},
    {"swaks v20130209.0 jetmore.org/john/code/swaks/", "swaks", "20130209.0"},
    {"AspMail 3.06", "aspmail", "3.06"},
    {"<SMTP32 v8.15>", "smtp32", "8.15"},
    {"Canon MFP", "canon-mfp", ""},
    {"BitDefender VShield", NULL, ""}, /* makes bounces, submits nothing */
};

static const struct expected helos[] = {
    {"smtpclient.apple", "apple", ""},
    {"SMTPClient.Apple", "apple", ""},
    /* Several programs say these: no guess. */
    {"[127.0.0.1]", NULL, ""},
    {"[192.168.0.170]", NULL, ""},
    {"[10.212.231.244]", NULL, ""},
    {"[IPv6:2a02:168:636a::15e2]", NULL, ""},
    {"[IPV6:2a02:a210:4a3::1]", NULL, ""},
    {"localhost", NULL, ""},
    {"localhost.localdomain", NULL, ""},
    {"WIN-CLJ1B0GQ6JP", NULL, ""},
    {"MsLy", NULL, ""},
    {"198.51.100.17", NULL, ""},
    {"User", NULL, ""},
    {"ylmf-pc", NULL, ""},
    {"me", NULL, ""},
    {"test", NULL, ""},
    {"mail.example.com", NULL, ""},
    /* Nearly, and headers in the wrong place. */
    {"smtpclient.apple.example.com", NULL, ""},
    {"xsmtpclient.apple", NULL, ""},
    {"smtpclient.appl", NULL, ""},
    {"smtpclient.apple 1", NULL, ""},
    {"PHPMailer 6.5.0", NULL, ""},
    {"Mozilla Thunderbird", NULL, ""},
    {"", NULL, ""},
};

/* Not as the program writes it, or with what belongs to nobody. */
static const struct expected near[] = {
    {"", NULL, ""},
    {" ", NULL, ""},
    {"*", NULL, ""},
    {"7", NULL, ""},
    {"Mozilla", NULL, ""},
    {"Microsoft Outlook", NULL, ""}, /* Express, cut short? */
    {"Microsoft Outlook Mobile 1.0", NULL, ""},
    {"Microsoft Outlook IMO, Build 9.0", NULL, ""},
    {"Microsoft  Outlook\t16.0", "outlook", "16.0"},
    {"MicrosoftOutlook 16.0", NULL, ""},
    {" Mutt/1.5.3i ", "mutt", "1.5.3i"},
    {"mUTT/1.5.3I", "mutt", "1.5.3I"},
    {"xMutt/1.5.3i", NULL, ""},
    {"Mutt 1.5.3i", NULL, ""},
    {"Mutt/v1.5", NULL, ""},
    {"PHPMailer", NULL, ""},
    {"PHPMailer [version 1.73]", NULL, ""},
    {"Canon MFP ", "canon-mfp", ""},
    {"Canon MFP Utility", NULL, ""},
    {"Canon MFPs", NULL, ""},
    {"K-9 Mail for Android 5", NULL, ""},
    {"Mozilla Thunderbirds", NULL, ""},
    {"Mozilla/5.0 (X11) Gecko/1 Thunderbird/", NULL, ""},
    {"Mozilla/5.0 (X11) Thunderbird/3", NULL, ""},
    {"Mozilla/5.0 (X11) Gecko/1 SeaMonkey/2.1", NULL, ""},
    {"smtpclient.apple", NULL, ""},
    /* Named, but what stands where the version should is none. */
    {"AOL 5user@example.com", "aol", ""},
    {"PHPMailer 6.5.0/secret", "phpmailer", ""},
    {"PHPMailer 6.5.0\x7f", "phpmailer", ""},
    {"PHPMailer 6.5.0\xc3\xa9", "phpmailer", ""},
    {"Mutt/1234567890123456789012345678901234567890", "mutt",
     "1234567890123456789012345678901234567890"},
    {"Mutt/12345678901234567890123456789012345678901", "mutt", ""},
};

typedef bool (*recognise)(struct str, struct software *);

static void expect(recognise call, struct str value, const char *id, const char *version)
{
    struct software s = {&catalogue[0], STR("left over"), CERTAINTY_ONE};
    bool found = call(value, &s);
    if (found != (id != NULL) || (found && strcmp(s.info->id, id)) ||
        !str_eq(s.version, str_of(version)))
        fail_msg("\"%.*s\" gives %s \"%.*s\"", STR_ARG(value), found ? s.info->id : "nothing",
                 STR_ARG(s.version));
    assert_int_equal(found, s.info != NULL);
    assert_int_equal(found, s.certainty != CERTAINTY_NONE);
    if (s.version.n)
        assert_true(s.version.p >= value.p && s.version.p + s.version.n <= value.p + value.n);
}

static void expect_all(recognise call, const struct expected *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(call, str_of(list[i].value), list[i].id, list[i].version);
}

static void test_headers(void **state)
{
    (void)state;
    expect_all(catalogue_header, headers, COUNT(headers));
}

static void test_helos(void **state)
{
    (void)state;
    expect_all(catalogue_helo, helos, COUNT(helos));
    struct software s;
    assert_true(catalogue_helo(STR("smtpclient.apple"), &s) && s.certainty == CERTAINTY_GROUP);
    assert_true(catalogue_header(STR("Canon MFP"), &s) && s.certainty == CERTAINTY_ONE);
}

static void test_near(void **state)
{
    (void)state;
    expect_all(catalogue_header, near, COUNT(near));
    expect(catalogue_header, (struct str){NULL, 0}, NULL, "");
    expect(catalogue_helo, (struct str){NULL, 0}, NULL, "");
}

/* A value cut anywhere names the same program or none, and a beginning of its version. */
static void cut_everywhere(recognise call, const struct expected *e)
{
    size_t whole = strlen(e->value);
    for (size_t n = 0; n < whole; n++) {
        char *copy = malloc(n ? n : 1); /* so that a sanitizer sees a byte too far */
        assert_non_null(copy);
        memcpy(copy, e->value, n);
        struct software s;
        if (call((struct str){copy, n}, &s)) {
            if (!e->id || strcmp(s.info->id, e->id))
                fail_msg("\"%.*s\" gives %s", (int)n, e->value, s.info->id);
            assert_true(s.version.n <= strlen(e->version));
            assert_memory_equal(s.version.p ? s.version.p : "", e->version, s.version.n);
        } else {
            assert_true(!s.info && s.version.n == 0);
        }
        free(copy);
    }
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        cut_everywhere(catalogue_header, &headers[i]);
    for (size_t i = 0; i < COUNT(helos); i++)
        if (helos[i].id)
            cut_everywhere(catalogue_helo, &helos[i]);
}

/* `text` and then `fill` up to n bytes, with `end` as the last of them. */
static struct str long_value(char *into, size_t n, const char *text, char fill, const char *end)
{
    memset(into, fill, n);
    memcpy(into, text, strlen(text));
    memcpy(into + n - strlen(end), end, strlen(end));
    return (struct str){into, n};
}

static void test_hostile(void **state)
{
    (void)state;
    enum { LONG = 65536, AT = CATALOGUE_LOOKS_AT };
    static char text[LONG];
    recognise h = catalogue_header;
    expect(h, STR("Mutt/1.5\0.3i"), "mutt", "");
    expect(h, STR("Mutt\0/1.5.3i"), NULL, "");
    expect(h, STR("\0Mutt/1.5.3i"), NULL, "");
    expect(h, STR("Mutt/\0"), NULL, "");
    expect(h, STR("Canon MFP\0"), NULL, "");
    expect(catalogue_helo, STR("smtpclient.apple\0"), NULL, "");

    for (int c = 0; c < 256; c++)
        expect(h, long_value(text, LONG, "", (char)c, ""), NULL, "");
    expect(h, long_value(text, LONG, "Mutt/1.5.3i ", 'x', ""), "mutt", "1.5.3i");
    expect(h, long_value(text, LONG, "Mutt/", '1', ""), "mutt", "");
    expect(h, long_value(text, LONG, "Canon MFP", ' ', ""), NULL, ""); /* and then? */
    expect(h, long_value(text, AT, "Canon MFP", ' ', ""), "canon-mfp", "");
    expect(h, long_value(text, LONG, "Mozilla/5.0 (", ' ', ""), NULL, "");

    /* A version that ends where we stop looking is whole only if nothing follows. */
    expect(h, long_value(text, AT, "", ' ', "Mutt/1.5"), "mutt", "1.5");
    expect(h, long_value(text, AT + 1, "", ' ', "Mutt/1.5i"), "mutt", "");
    expect(h, long_value(text, AT + 1, "", ' ', "Mutt/1.5 "), "mutt", "");
    expect(h, long_value(text, AT + 2, "", ' ', "Mutt/1.5 x"), "mutt", "");
    expect(h, long_value(text, AT + 1, "", ' ', "Mutt/1 (x"), "mutt", "1");
    expect(h, long_value(text, AT + 6, "", ' ', "Mutt/1"), NULL, "");
    const char *bird = ") Gecko/1 Thunderbird/9";
    expect(h, long_value(text, AT, "Mozilla/5.0 (", 'x', bird), "thunderbird", "9");
    expect(h, long_value(text, AT + 1, "Mozilla/5.0 (", 'x', bird), NULL, "");
}

static bool printable(const char *s, size_t max)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if (s[i] < ' ' || s[i] > '~' || s[i] == '|' || s[i] == '"')
            return false;
    return n > 0 && n <= max;
}

static bool permanent_id(const char *id)
{
    size_t n = strlen(id);
    for (size_t i = 0; i < n; i++)
        if (!(id[i] >= 'a' && id[i] <= 'z') && !(id[i] >= '0' && id[i] <= '9') &&
            !(id[i] == '-' && i && i + 1 < n && id[i - 1] != '-'))
            return false;
    return n > 0 && n <= 32;
}

static void test_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < SOFTWARE_COUNT; i++) {
        const struct software_info *c = &catalogue[i];
        if (!permanent_id(c->id) || !printable(c->name, 60))
            fail_msg("%s", c->id);
        assert_ptr_equal(catalogue_by_id(str_of(c->id)), c); /* so no id is there twice */
        const char *implicit = c->setting[ROLE_SUBMISSIONS],
                   *starttls = c->setting[ROLE_SUBMISSION];
        bool known = c->evidence != EVIDENCE_NONE;
        if (known != (implicit != NULL) || known != (starttls != NULL) || c->setting[ROLE_SMTP])
            fail_msg("%s: settings and evidence go together", c->id);
        if ((known && (!printable(implicit, 100) || !printable(starttls, 100))) ||
            (c->note && (!known || !printable(c->note, 120))))
            fail_msg("%s: text", c->id);
        if (!known && c->shows == SHOWS_NOWHERE)
            fail_msg("%s: neither a setting nor a pattern", c->id);
    }
    assert_null(catalogue_by_id(STR("")));
    assert_null(catalogue_by_id(STR("Outlook")));
    assert_null(catalogue_by_id(STR("outlook-")));
}

static const struct row {
    bool helo;
    const char *text;
    bool version;
    enum software_id software;
} rows[] = {
#define ROW_HEADER false
#define ROW_HELO true
#define ROW_NOTHING false
#define ROW_VERSION true
#define PATTERN(field, text, follows, name, certainty)                                             \
    {ROW_##field, text, ROW_##follows, SOFTWARE_##name},
#include "core/catalogue.def"
};

static bool begins(const char *s, const char *with)
{
    size_t n = strlen(with);
    return strlen(s) >= n && str_eq_nocase((struct str){s, n}, (struct str){with, n});
}

static void test_patterns(void **state)
{
    (void)state;
    bool header[SOFTWARE_COUNT] = {0}, helo[SOFTWARE_COUNT] = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        (r->helo ? helo : header)[r->software] = true;
        char sample[CATALOGUE_LOOKS_AT];
        struct buf b = BUF(sample);
        for (const char *t = r->text; *t; t++)
            buf_char(&b, *t == '*' ? 'x' : *t);
        buf_cstring(&b, r->version ? "2.7" : "");
        assert_true(!b.full && r->text[0] != ' ' && r->text[0] != '*');
        expect(r->helo ? catalogue_helo : catalogue_header, buf_view(&b), catalogue[r->software].id,
               r->version ? "2.7" : "");
        /* The order of the rows must not matter: no value fits two. */
        for (size_t k = 0; k < COUNT(rows); k++) {
            char next = rows[k].text[strlen(r->text) <= strlen(rows[k].text) ? strlen(r->text) : 0];
            if (k == i || r->helo != rows[k].helo || !begins(rows[k].text, r->text))
                continue;
            bool same = next == '\0' && r->version == rows[k].version;
            if (same || (r->version && ((next >= '0' && next <= '9') || next == '*')))
                fail_msg("\"%s\" and \"%s\"", r->text, rows[k].text);
        }
    }
    for (size_t i = 0; i < SOFTWARE_COUNT; i++)
        if (header[i] != ((catalogue[i].shows & SHOWS_EITHER) != 0) ||
            helo[i] != ((catalogue[i].shows & SHOWS_EHLO) != 0))
            fail_msg("%s: where it shows, and its patterns", catalogue[i].id);
}

static const char *setting(const char *id, enum role role)
{
    const struct software_info *c = catalogue_by_id(str_of(id));
    assert_non_null(c);
    return catalogue_setting(c, role);
}

static void test_settings(void **state)
{
    (void)state;
    assert_string_equal(setting("thunderbird", ROLE_SUBMISSIONS), "Connection security: SSL/TLS");
    assert_string_equal(setting("thunderbird", ROLE_SUBMISSION), "Connection security: STARTTLS");
    assert_null(setting("thunderbird", ROLE_SMTP)); /* the port is what is wrong */
    assert_null(setting("thunderbird", ROLE_COUNT));
    assert_null(setting("juno", ROLE_SUBMISSION));
    assert_string_equal(setting("phpmailer", ROLE_SUBMISSIONS), "SMTPSecure = ENCRYPTION_SMTPS");
    assert_string_equal(setting("fairemail", ROLE_SUBMISSION), "Encryption: STARTTLS");
    assert_string_equal(setting("fuji-xerox-iv", ROLE_SUBMISSION), "none: TLS is not supported");

    static const struct {
        const char *id, *evidence;
    } cases[] = {
        {"thunderbird", "not checked"},  {"outlook", "not checked"}, {"iphone-mail", "not checked"},
        {"jakarta-mail", "not checked"}, {"mutt", "not checked"},    {"k9-mail", "source"},
        {"fairemail", "source"},         {"epson", "manual"},        {"juno", "none"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(evidence_names[catalogue_by_id(str_of(cases[i].id))->evidence],
                            cases[i].evidence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),  cmocka_unit_test(test_helos),
        cmocka_unit_test(test_near),     cmocka_unit_test(test_cut),
        cmocka_unit_test(test_hostile),  cmocka_unit_test(test_data),
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
