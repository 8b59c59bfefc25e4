// Every row of the table is accounted for: without a token refused, with the wrong right refused, with the
// right one let in; and a row that is open says why (style §8).
#include "api/table.hpp"
#include "api/test_api.hpp"
#include "base/text.hpp"

#include <set>

namespace berth::api {
namespace {

using test::TestApi;

std::string name_of_row(const Row& row) {
    return std::string(http::name_of(row.method)) + " " + std::string(row.pattern);
}

std::string path_of(const Row& row) {
    std::string path = "/hub/";
    bool first = true;
    for (const auto segment : split(row.pattern, '/')) {
        if (!first) path += '/';
        first = false;
        if (segment == "{user}")
            path += "ann";
        else if (segment == "{server?}" || segment == "{rest...}")
            path += "";
        else if (segment == "{server}")
            path += "gpu";
        else if (segment == "{group}")
            path += "ml";
        else if (segment == "{service}")
            path += "svc";
        else if (segment == "{id}")
            path += "a99999";
        else if (segment == "{uuid}")
            path += "GPU-a";
        else if (segment == "{code}")
            path += "503";
        else
            path += segment;
    }
    return path;
}

bool refused(const http::Response& response) {
    if (response.status == 403) return true;
    return response.status == 404 && response.body.find("No access to resources") != std::string::npos;
}

TEST(Accounting, RowsSayWhatTheyNeedOrWhyNot) {
    std::set<std::string> seen;
    for (const auto& row : table()) {
        SCOPED_TRACE(name_of_row(row));
        EXPECT_TRUE(seen.insert(name_of_row(row)).second) << "twice";
        EXPECT_FALSE(row.reference.empty());
        switch (row.check) {
            case Check::open:
            case Check::handler:
                EXPECT_FALSE(row.note.empty());
                break;
            case Check::scopes:
            case Check::listing:
                EXPECT_FALSE(scopes_of(row).empty());
                for (const auto scope : scopes_of(row))
                    EXPECT_TRUE(access::is_known(scope)) << scope;
                break;
            case Check::signed_in:
                break;
        }
        // Whatever changes something is XSRF-checked, here or in the handler that says so.
        if (row.check != Check::open && row.method != http::Method::get && row.check != Check::handler) {
            EXPECT_TRUE(row.xsrf == Xsrf::checked || row.pattern == "security/csp-report");
        }
    }
}

// Exactly these answer without credentials; a new one has to be added here by hand.
TEST(Accounting, TheListOfOpenRowsIsKnown) {
    std::set<std::string> open;
    for (const auto& row : table()) {
        if (row.check == Check::open) open.insert(name_of_row(row));
    }
    const std::set<std::string> known{
        "GET ",
        "GET api",
        "GET api/",
        "GET api/health",
        "GET health",
        "GET invite",
        "GET login",
        "GET logo",
        "GET logout",
        "GET notices_worker.js",
        "GET static/{rest...}",
        "GET error/{code}",
        "POST api/oauth2/token",
        "POST invite",
        "POST login"};
    EXPECT_EQ(open, known);
}

TEST(Accounting, WithoutATokenNothingButTheOpenRowsAnswers) {
    TestApi hub;
    hub.open_all();
    for (const auto& row : table()) {
        if (row.surface != gate::Surface::api || row.check == Check::open) continue;
        SCOPED_TRACE(name_of_row(row));
        const auto answer = hub.ask(row.method, path_of(row));
        EXPECT_EQ(answer.status, 403U) << answer.body;
        EXPECT_TRUE(test::body_of(answer).is_object());
        const auto unknown = hub.with_token("0123456789abcdef0123456789abcdef", row.method, path_of(row));
        EXPECT_EQ(unknown.status, 403U);
    }
}

TEST(Accounting, WithoutTheRightItIsRefusedAndWithItIsNot) {
    for (const auto& row : table()) {
        if (row.surface != gate::Surface::api || (row.check != Check::scopes && row.check != Check::listing))
            continue;
        SCOPED_TRACE(name_of_row(row));
        TestApi hub;
        hub.open_all();
        const auto none = hub.admin_token({"(no_scope)"});
        EXPECT_TRUE(refused(hub.with_token(none, row.method, path_of(row))));
        for (const auto scope : scopes_of(row)) {
            SCOPED_TRACE(scope);
            if (row.on == On::user || row.on == On::server) {
                const auto for_other = hub.admin_token({std::string(scope) + "!user=bob"});
                EXPECT_EQ(hub.with_token(for_other, row.method, path_of(row)).status, 404U);
            }
            const auto exact = hub.admin_token({std::string(scope)});
            const auto answer = hub.with_token(exact, row.method, path_of(row));
            EXPECT_FALSE(refused(answer)) << answer.status << " " << answer.body;
            EXPECT_LT(answer.status, 500U) << answer.body;
            if (row.method != http::Method::get) break;  // the first one has changed things
        }
    }
}

}  // namespace
}  // namespace berth::api
