// Berth's own users: argon2id by libsodium, on the blocking pool.
#pragma once

#include "async/blocking_pool.hpp"
#include "identity/authenticator.hpp"
#include "identity/directory.hpp"

#include <memory>

namespace berth::identity {

// Both must outlive it.
std::unique_ptr<Authenticator> make_password_authenticator(const Directory& directory, BlockingPool& pool);

}  // namespace berth::identity
