// The hub with its HTTP face, for tests: hub/test_hub.hpp underneath, requests handed straight to the
// handler.
#pragma once

#include "api/hub_api.hpp"
#include "api/pages.hpp"
#include "hub/test_hub.hpp"
#include "identity/authenticators/dummy.hpp"

namespace berth::api::test {

config::Options dummy_options();

// What a browser keeps between requests.
struct Browser {
    std::map<std::string, std::string> cookies;
    std::string header() const;
    void keep(const http::Response& response);
};

struct TestApi : hub::test::TestHub {
    explicit TestApi(config::Options wanted = dummy_options());
    ~TestApi();

    template <class Double = spawn::doubles::MemorySpawner>
    std::shared_ptr<Double> open_all() {
        auto made = std::make_shared<Double>(io.get_executor());
        open(made);
        made->url = notebook_url();
        open_face();
        return made;
    }

    http::Response send(http::Request request);
    http::Response ask(
        http::Method method, std::string target, http::Headers headers = {}, std::string body = {});
    http::Response with_token(
        const std::string& token, http::Method method, std::string target, std::string body = {});
    http::Response get(const Browser& browser, std::string target);
    http::Response post_form(const Browser& browser, std::string target, std::string form);
    // As a person does: fetch the form, send it.
    Browser signed_in(const std::string& name);
    // A token of that user, made without asking anybody.
    std::string token_of(const std::string& user, std::vector<std::string> scopes = {"inherit"});
    std::string admin_token(std::vector<std::string> scopes = {"inherit"});

    void open_face();  // all that is in front of the hub

    BlockingPool pool{1, 16};
    std::optional<identity::SignIn> sign_in;
    std::optional<identity::OAuthProvider> oauth;
    std::optional<gate::Gate> gate;
    std::optional<hub::ServerRecords> records;
    std::optional<hub::UserRecords> users;
    std::optional<hub::Activity> activity;
    std::optional<hub::Culler> culler;
    std::optional<gpu::AllocatorFacade> facade;
    std::optional<hub::EdgeCache> edge;
    std::optional<hub::GpuBoard> board;
    std::optional<Dependencies> dependencies;
    std::optional<HubApi> api;
    http::Handler handle;
    int shut_downs = 0;
};

inline json::value body_of(const http::Response& response) {
    return parse_json(response.body).value_or(nullptr);
}

}  // namespace berth::api::test
