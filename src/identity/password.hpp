// Setting passwords. Hashing takes about 50 ms and 64 MiB, so it runs on the blocking pool.
#pragma once

#include "async/awaitable.hpp"
#include "async/blocking_pool.hpp"
#include "base/secret.hpp"
#include "identity/directory.hpp"

#include <string>

namespace berth::identity {

inline constexpr std::size_t kMinPasswordCharacters = 8;
inline constexpr std::size_t kMaxPasswordBytes = 1024;

// Errors: password_too_short, password_too_long.
Result<void> check_password(const Secret& password);
// The argon2id string. Blocks.
std::string hash_password(const Secret& password);
bool verify_password(const std::string& hash, const Secret& password);  // blocks

// Checks, then hashes on the pool. Errors: as check_password, PoolErrc::overloaded.
awaitable<Result<std::string>> hash_new_password(BlockingPool& pool, Secret password);
// The two together with the commit. Errors: also no_such_user, StoreErrc.
awaitable<Result<void>> set_password(Directory& directory, BlockingPool& pool, UserId user, Secret password);

}  // namespace berth::identity
