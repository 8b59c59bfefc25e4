// Lets anybody in who knows the one password, or anybody when there is none: for trials, only when the
// configuration names it, and with a banner on every page.
#pragma once

#include "config/options.hpp"
#include "identity/authenticator.hpp"

#include <memory>

namespace berth::identity {

std::unique_ptr<Authenticator> make_dummy_authenticator(config::DummyOptions options);

}  // namespace berth::identity
