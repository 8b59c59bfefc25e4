#include "hub/web_push.hpp"

#include "base/json.hpp"
#include "base/random.hpp"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace berth::hub {
namespace {

constexpr std::size_t kPoint = 65;
constexpr std::size_t kSecret = 32;
constexpr std::size_t kSalt = 16;
constexpr std::size_t kTag = 16;
constexpr std::uint32_t kRecord = 4096;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* made) const {
        Free(made);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, Freed<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Freed<EVP_KDF_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

unsigned char* bytes(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
void* loose(std::string_view text) {  // OSSL_PARAM reads it, though its type does not say so
    return const_cast<char*>(text.data());
}

Error bad_key(std::string why) {
    return {PushErrc::bad_key, std::move(why)};
}

// A key on P-256; without a private number the public one alone. OpenSSL checks that the point is on the
// curve.
Result<Key> key_of(std::string_view private_number, std::string_view public_point) {
    const Error unusable = bad_key("This is no key on the curve P-256.");
    if (public_point.size() != kPoint || public_point[0] != 4) return unusable;
    const Builder builder(OSSL_PARAM_BLD_new());
    const Number number(BN_bin2bn(bytes(private_number), static_cast<int>(private_number.size()), nullptr));
    if (!builder || !number) return unusable;
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(
        builder.get(), OSSL_PKEY_PARAM_PUB_KEY, public_point.data(), public_point.size());
    if (!private_number.empty())
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, number.get());
    const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    EVP_PKEY* made = nullptr;
    const int selection = private_number.empty() ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) <= 0 ||
        EVP_PKEY_fromdata(context.get(), &made, selection, params.get()) <= 0)
        return unusable;
    Key key(made);
    const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    if (!check || EVP_PKEY_public_check(check.get()) <= 0) return unusable;
    return key;
}

Result<std::string> shared_secret(EVP_PKEY* own, EVP_PKEY* theirs) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
    std::string secret(kSecret, '\0');
    std::size_t size = secret.size();
    if (!context || EVP_PKEY_derive_init(context.get()) <= 0 ||
        EVP_PKEY_derive_set_peer(context.get(), theirs) <= 0 ||
        EVP_PKEY_derive(context.get(), bytes(secret), &size) <= 0 || size != kSecret)
        return bad_key("No secret can be shared with this key.");
    return secret;
}

// RFC 5869, with SHA-256.
Result<std::string> hkdf(
    std::string_view salt, std::string_view secret, std::string_view info, std::size_t size) {
    const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
    char digest[] = "SHA256";
    const std::array<OSSL_PARAM, 5> params{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, loose(secret), secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, loose(info), info.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, loose(salt), salt.size()),
        OSSL_PARAM_construct_end()};
    std::string out(size, '\0');
    if (!context || EVP_KDF_derive(context.get(), bytes(out), size, params.data()) <= 0)
        return bad_key("No key can be derived.");
    return out;
}

Result<std::string> aes_128_gcm(std::string_view key, std::string_view nonce, std::string_view text) {
    const Cipher cipher(EVP_CIPHER_CTX_new());
    std::string out(text.size() + kTag, '\0');
    int size = 0;
    int rest = 0;
    if (!cipher ||
        EVP_EncryptInit_ex2(cipher.get(), EVP_aes_128_gcm(), bytes(key), bytes(nonce), nullptr) <= 0 ||
        EVP_EncryptUpdate(cipher.get(), bytes(out), &size, bytes(text), static_cast<int>(text.size())) <= 0 ||
        EVP_EncryptFinal_ex(cipher.get(), bytes(out) + size, &rest) <= 0 ||
        EVP_CIPHER_CTX_ctrl(
            cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTag), bytes(out) + text.size()) <= 0)
        return bad_key("The message cannot be encrypted.");
    return out;
}

// r and s, 32 bytes each, as JSON web signatures have them (RFC 7518 §3.4).
Result<std::string> sign_es256(EVP_PKEY* key, std::string_view text) {
    const Error failed{PushErrc::key_unusable, "The message cannot be signed."};
    const Digest digest(EVP_MD_CTX_new());
    std::size_t size = 0;
    if (!digest ||
        EVP_DigestSignInit_ex(digest.get(), nullptr, "SHA256", nullptr, nullptr, key, nullptr) <= 0 ||
        EVP_DigestSign(digest.get(), nullptr, &size, bytes(text), text.size()) <= 0)
        return failed;
    std::string der(size, '\0');
    if (EVP_DigestSign(digest.get(), bytes(der), &size, bytes(text), text.size()) <= 0) return failed;
    const auto* from = bytes(std::string_view(der));
    const Signature signature(d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(size)));
    std::string out(2 * kSecret, '\0');
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), bytes(out), kSecret) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), bytes(out) + kSecret, kSecret) < 0)
        return failed;
    return out;
}

struct FileClose {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileClose>;

Error key_file(const std::string& path, std::string_view why) {
    std::string message = "The key for notices of browsers, ";
    message.append(path).append(", ").append(why);
    return {PushErrc::key_unusable, std::move(message)};
}

}  // namespace

struct PushKey::Handle {
    explicit Handle(Key made) : key(std::move(made)) {}
    Key key;
};

std::string_view text_of(PushErrc reason) {
    switch (reason) {
        case PushErrc::bad_key:
            return "bad key";
        case PushErrc::key_unusable:
            return "the hub's key cannot be used";
    }
    return "web push";
}

Result<PushKey> PushKey::make() {
    Key key(EVP_EC_gen("prime256v1"));
    if (!key) return bad_key("No key can be made.");
    return PushKey(std::make_shared<const Handle>(std::move(key)));
}

Result<PushKey> PushKey::from(std::string_view private_number, std::string_view public_point) {
    BERTH_TRY(auto key, key_of(private_number, public_point));
    return PushKey(std::make_shared<const Handle>(std::move(key)));
}

std::string PushKey::public_point() const {
    std::string point(kPoint, '\0');
    std::size_t size = 0;
    EVP_PKEY_get_octet_string_param(
        handle_->key.get(), OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, bytes(point), point.size(), &size);
    point.resize(size);
    return point;
}

Result<std::string> encrypt_push(
    std::string_view text, const PushTarget& to, const PushKey& ephemeral, std::string_view salt) {
    if (text.size() > 3900 || to.auth.size() != kSalt || salt.size() != kSalt)
        return bad_key("The message is too long, or the browser's secret is.");
    BERTH_TRY(const auto theirs, key_of({}, to.public_point));
    BERTH_TRY(const auto secret, shared_secret(ephemeral.handle().key.get(), theirs.get()));
    const auto own_point = ephemeral.public_point();
    using namespace std::string_literals;
    const std::string info = "WebPush: info\0"s + to.public_point + own_point;
    BERTH_TRY(const auto material, hkdf(to.auth, secret, info, kSecret));
    BERTH_TRY(const auto key, hkdf(salt, material, "Content-Encoding: aes128gcm\0"s, 16));
    BERTH_TRY(const auto nonce, hkdf(salt, material, "Content-Encoding: nonce\0"s, 12));
    const std::string record = std::string(text) + '\x02';  // the last one
    BERTH_TRY(const auto encrypted, aes_128_gcm(key, nonce, record));
    std::string out(salt);
    for (int shift = 24; shift >= 0; shift -= 8)
        out += static_cast<char>(kRecord >> shift & 0xFFU);
    out += static_cast<char>(own_point.size());
    return out + own_point + encrypted;
}

Result<std::string> encrypt_push(std::string_view text, const PushTarget& to) {
    BERTH_TRY(const auto ephemeral, PushKey::make());
    std::string salt(kSalt, '\0');
    if (RAND_bytes(bytes(salt), static_cast<int>(kSalt)) <= 0) return bad_key("No random numbers.");
    return encrypt_push(text, to, ephemeral, salt);
}

Result<PushIdentity> PushIdentity::open(const std::string& path) {
    if (const File there{std::fopen(path.c_str(), "re")}) {
        Key key(PEM_read_PrivateKey(there.get(), nullptr, nullptr, nullptr));
        if (!key) return key_file(path, "cannot be read. Delete it, and browsers must be switched on again.");
        return PushIdentity(PushKey(std::make_shared<const PushKey::Handle>(std::move(key))));
    }
    BERTH_TRY(auto made, PushKey::make());
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const File file(descriptor < 0 ? nullptr : ::fdopen(descriptor, "w"));
    auto* key = made.handle().key.get();
    const bool written = file &&
                         PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) > 0 &&
                         std::fflush(file.get()) == 0 && ::fsync(descriptor) == 0;
    if (!written) {
        if (descriptor >= 0) ::unlink(path.c_str());
        return key_file(path, "cannot be written.");
    }
    return PushIdentity(std::move(made));
}

std::string PushIdentity::public_key() const {
    return base64url(key_.public_point());
}

Result<std::string> PushIdentity::authorization(
    const std::string& origin, const std::string& contact, Timestamp expires) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch()).count();
    json::object claims{{"aud", origin}, {"exp", seconds}, {"sub", contact}};
    std::string text = base64url(R"({"typ":"JWT","alg":"ES256"})");
    text.append(".").append(base64url(json::serialize(claims)));
    BERTH_TRY(const auto signature, sign_es256(key_.handle().key.get(), text));
    return "vapid t=" + text + "." + base64url(signature) + ", k=" + public_key();
}

}  // namespace berth::hub
