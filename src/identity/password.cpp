#include "identity/password.hpp"

#include "base/assert.hpp"

#include <sodium.h>

#include <array>

namespace berth::identity {

namespace {

std::size_t characters_of(const std::string& text) {
    std::size_t count = 0;
    for (const char byte : text)
        if ((static_cast<unsigned char>(byte) & 0xc0U) != 0x80U) ++count;
    return count;
}

}  // namespace

Result<void> check_password(const Secret& password) {
    if (characters_of(password.reveal()) < kMinPasswordCharacters)
        return Error{
            DirectoryErrc::password_too_short,
            "The password needs at least " + std::to_string(kMinPasswordCharacters) + " characters."};
    if (password.reveal().size() > kMaxPasswordBytes)
        return Error{
            DirectoryErrc::password_too_long,
            "The password may have at most " + std::to_string(kMaxPasswordBytes) + " bytes."};
    return {};
}

std::string hash_password(const Secret& password) {
    BERTH_ASSERT(sodium_init() >= 0);
    std::array<char, crypto_pwhash_STRBYTES> hash{};
    const auto& text = password.reveal();
    if (crypto_pwhash_str(
            hash.data(),
            text.data(),
            text.size(),
            crypto_pwhash_OPSLIMIT_INTERACTIVE,
            crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        throw std::bad_alloc();  // its one way to fail
    return hash.data();
}

bool verify_password(const std::string& hash, const Secret& password) {
    BERTH_ASSERT(sodium_init() >= 0);
    const auto& text = password.reveal();
    return crypto_pwhash_str_verify(hash.c_str(), text.data(), text.size()) == 0;
}

awaitable<Result<std::string>> hash_new_password(BlockingPool& pool, Secret password) {
    BERTH_CO_CHECK(check_password(password));
    auto work = [password = std::move(password)] { return hash_password(password); };
    co_return co_await pool.run(std::move(work));
}

awaitable<Result<void>> set_password(Directory& directory, BlockingPool& pool, UserId user, Secret password) {
    BERTH_CO_TRY(auto hash, co_await hash_new_password(pool, std::move(password)));
    std::optional<std::string> value(std::move(hash));
    co_return co_await directory.set_password_hash(user, std::move(value));
}

}  // namespace berth::identity
