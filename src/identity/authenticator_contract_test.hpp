// What every authenticator promises. An implementation instantiates it with a factory that knows user "ann"
// with password "right horse battery" and nobody called "nobody".
#pragma once

#include "async/blocking_pool.hpp"
#include "identity/authenticator.hpp"
#include "identity/impl/directory_fixture.hpp"

#include <chrono>
#include <functional>

namespace berth::identity::test {

using AuthenticatorFactory = std::function<std::unique_ptr<Authenticator>(Directory&, BlockingPool&)>;

struct AuthenticatorCase {
    std::string name;
    AuthenticatorFactory make;
};

class AuthenticatorContract : public DirectoryFixture, public testing::WithParamInterface<AuthenticatorCase> {
protected:
    AuthenticatorContract();

    Result<Identity> attempt(const std::string& username, const std::string& password) {
        Credentials credentials;
        credentials.username = username;
        credentials.password = Secret(password);
        credentials.client_address = "10.0.0.1";
        return run(authenticator_->authenticate(std::move(credentials), Deadline::in(10s)));
    }

    BlockingPool pool_{1, 10};
    std::unique_ptr<Authenticator> authenticator_;
};

}  // namespace berth::identity::test
