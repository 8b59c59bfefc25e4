// What a TLS listener has besides one certificate: those of a folder, chosen by the name that is asked for,
// and tickets.
#include "base/text.hpp"
#include "net/impl/tls_context.hpp"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <filesystem>

namespace berth::net {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostCertificates = 1000;

int index_of_ours() {
    static const int index = ::SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

TlsContext* ours(SSL_CTX* native) {
    return static_cast<TlsContext*>(::SSL_CTX_get_ex_data(native, index_of_ours()));
}

// "lab.example.org" is also "*.example.org", one label and no more (RFC 6125 §6.4.3).
const std::shared_ptr<TlsContext>* find(const TlsContext& all, std::string name) {
    name = to_lower_ascii(name);
    auto found = all.by_name.find(name);
    if (const auto dot = name.find('.'); found == all.by_name.end() && dot != std::string::npos)
        found = all.by_name.find("*" + name.substr(dot));
    return found == all.by_name.end() ? nullptr : &found->second;
}

int on_name(SSL* connection, int*, void*) {
    const char* name = ::SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    const auto* all = ours(::SSL_get_SSL_CTX(connection));
    if (name == nullptr || all == nullptr) return SSL_TLSEXT_ERR_NOACK;
    const auto* found = find(*all, name);
    if (found == nullptr) return SSL_TLSEXT_ERR_NOACK;  // the first certificate says who we are
    ::SSL_set_SSL_CTX(connection, (*found)->context.native_handle());
    return SSL_TLSEXT_ERR_OK;
}

const EVP_CIPHER* ticket_cipher() {
    static const EVP_CIPHER* const cipher = ::EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
    return cipher;
}

bool use_key(EVP_MAC_CTX* mac, TicketKey& key) {
    std::string digest = "SHA256";
    const OSSL_PARAM settings[] = {
        ::OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
        ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        ::OSSL_PARAM_construct_end()};
    return ::EVP_MAC_CTX_set_params(mac, settings) == 1;
}

// OpenSSL's answers: negative an error, 0 no such key, 1 done, 2 done and the client shall have a new ticket.
int on_ticket(
    SSL* connection,
    unsigned char* name,
    unsigned char* iv,
    EVP_CIPHER_CTX* cipher,
    EVP_MAC_CTX* mac,
    int seals) {
    const auto* listener = ours(::SSL_get_SSL_CTX(connection));
    if (listener == nullptr || !listener->tickets) return seals ? -1 : 0;
    const auto now = TicketKeys::Clock::now();
    if (seals) {
        auto key = listener->tickets->to_seal(now);
        std::copy(key.name.begin(), key.name.end(), name);
        if (::RAND_bytes(iv, ::EVP_CIPHER_get_iv_length(ticket_cipher())) != 1) return -1;
        const bool set = ::EVP_EncryptInit_ex2(cipher, ticket_cipher(), key.cipher.data(), iv, nullptr) == 1;
        return set && use_key(mac, key) ? 1 : -1;
    }
    auto found =
        listener->tickets->to_open({reinterpret_cast<const char*>(name), TicketKey{}.name.size()}, now);
    if (!found) return 0;
    const bool set =
        ::EVP_DecryptInit_ex2(cipher, ticket_cipher(), found->key.cipher.data(), iv, nullptr) == 1;
    if (!set || !use_key(mac, found->key)) return -1;
    return found->is_old || ::SSL_version(connection) >= TLS1_3_VERSION ? 2 : 1;
}

Error unusable(const std::string& folder, const std::string& why) {
    return Error{
        TlsErrc::certificate_unusable,
        "The folder of certificates " + folder + " cannot be used: " + why + "."};
}

// One entry of the folder, where it is the certificate of a pair.
Result<void> add_pair(const fs::path& entry, std::vector<TlsPair>& pairs) {
    std::error_code ignored;
    if (fs::is_directory(entry, ignored)) {
        const auto chain = entry / "fullchain.pem";
        const auto key = entry / "privkey.pem";
        if (fs::exists(chain, ignored)) pairs.push_back({chain.string(), key.string(), {}});
        return boost::system::in_place_value;
    }
    if (entry.extension() != ".crt" && entry.extension() != ".pem") return boost::system::in_place_value;
    auto key = entry;
    key.replace_extension(".key");
    if (!fs::exists(key, ignored))
        return unusable(
            entry.parent_path().string(),
            entry.filename().string() + " has no " + key.filename().string() + " beside it");
    pairs.push_back({entry.string(), key.string(), {}});
    return boost::system::in_place_value;
}

}  // namespace

void use_tickets(TlsContext& made, std::shared_ptr<TicketKeys> keys) {
    auto* native = made.context.native_handle();
    made.tickets = std::move(keys);
    ::SSL_CTX_set_ex_data(native, index_of_ours(), &made);
    ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    ::SSL_CTX_set_tlsext_ticket_key_evp_cb(native, on_ticket);
    constexpr std::string_view kWhose = "berth";  // with client certificates OpenSSL resumes nothing without
    ::SSL_CTX_set_session_id_context(
        native, reinterpret_cast<const unsigned char*>(kWhose.data()), static_cast<unsigned>(kWhose.size()));
}

void choose_by_name(TlsContext& made) {
    // What the macro SSL_CTX_set_tlsext_servername_callback does, without its old-style cast.
    ::SSL_CTX_callback_ctrl(
        made.context.native_handle(),
        SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
        reinterpret_cast<void (*)()>(on_name));
}

Result<std::vector<TlsPair>> pairs_in(const std::string& folder) {
    std::error_code failure;
    std::vector<fs::path> entries;
    for (fs::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure))
        entries.push_back(at->path());
    if (failure) return unusable(folder, failure.message());
    std::sort(entries.begin(), entries.end());
    std::vector<TlsPair> pairs;
    for (const auto& entry : entries)
        BERTH_CHECK(add_pair(entry, pairs));
    if (pairs.empty())
        return unusable(folder, "it holds no NAME.crt with NAME.key, and no folder with fullchain.pem");
    if (pairs.size() > kMostCertificates) return unusable(folder, "it holds more than 1000 certificates");
    return pairs;
}

std::vector<std::string> names_of(TlsContext& made) {
    std::vector<std::string> names;
    const X509* shown = ::SSL_CTX_get0_certificate(made.context.native_handle());
    if (shown == nullptr) return names;
    auto* all =
        static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(shown, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
        const auto* one = sk_GENERAL_NAME_value(all, i);
        if (one->type != GEN_DNS) continue;
        const auto* text = reinterpret_cast<const char*>(::ASN1_STRING_get0_data(one->d.dNSName));
        names.push_back(to_lower_ascii(
            std::string_view(text, static_cast<std::size_t>(::ASN1_STRING_length(one->d.dNSName)))));
    }
    ::GENERAL_NAMES_free(all);
    return names;
}

}  // namespace berth::net
