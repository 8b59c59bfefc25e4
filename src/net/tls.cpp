#include "net/tls.hpp"

#include "net/impl/tls_context.hpp"

#include <boost/asio/ssl/impl/src.hpp>  // OpenSSL's side of Asio is compiled here and nowhere else

#include <openssl/err.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <vector>

namespace berth::net {

namespace ssl = asio::ssl;

std::string_view text_of(TlsErrc) {
    return "the TLS certificate cannot be used";
}

namespace {

Error unusable(const std::string& what, const std::string& path, const std::string& why) {
    return Error{TlsErrc::certificate_unusable, "The " + what + " " + path + " cannot be used: " + why + "."};
}

// OpenSSL's own words for what went wrong last.
std::string reason() {
    const auto code = ::ERR_peek_last_error();
    const char* text = ::ERR_reason_error_string(code);
    ::ERR_clear_error();
    return text != nullptr ? text : "unknown reason";
}

Result<void> check_readable(const char* what, const std::string& path) {
    if (::access(path.c_str(), R_OK) == 0) return boost::system::in_place_value;
    return unusable(what, path, "it is not there or not readable for the user of this program");
}

Result<void> use_pair(ssl::context& context, const TlsPair& pair) {
    BERTH_CHECK(check_readable("TLS certificate", pair.certificate));
    BERTH_CHECK(check_readable("TLS key", pair.key));
    auto* native = context.native_handle();
    boost::system::error_code failure;
    context.set_password_callback(
        [passphrase = pair.passphrase](std::size_t, ssl::context::password_purpose) { return passphrase; },
        failure);
    if (::SSL_CTX_use_certificate_chain_file(native, pair.certificate.c_str()) != 1)
        return unusable("TLS certificate", pair.certificate, reason());
    if (::SSL_CTX_use_PrivateKey_file(native, pair.key.c_str(), SSL_FILETYPE_PEM) != 1)
        return unusable("TLS key", pair.key, reason());
    if (::SSL_CTX_check_private_key(native) != 1)
        return unusable("TLS key", pair.key, "it does not belong to the certificate " + pair.certificate);
    return boost::system::in_place_value;
}

Result<void> use_authorities(ssl::context& context, const std::string& path) {
    BERTH_CHECK(check_readable("TLS certificate authority", path));
    if (::SSL_CTX_load_verify_locations(context.native_handle(), path.c_str(), nullptr) != 1)
        return unusable("TLS certificate authority", path, reason());
    return boost::system::in_place_value;
}

Result<std::shared_ptr<TlsContext>> make_context(ssl::context::method method) {
    auto made = std::make_shared<TlsContext>(method);
    auto* native = made->context.native_handle();
    ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    ::SSL_CTX_set_options(
        native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    ::SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    if (::SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
        return Error{TlsErrc::certificate_unusable, "OpenSSL knows no cipher of ours: " + reason()};
    return made;
}

Result<std::shared_ptr<TlsContext>> make_server_context(
    const TlsPair& pair, const TlsFiles& files, const std::shared_ptr<TicketKeys>& tickets) {
    BERTH_TRY(auto made, make_context(ssl::context::tls_server));
    BERTH_CHECK(use_pair(made->context, pair));
    use_tickets(*made, tickets);
    if (files.client_authorities.empty()) return made;
    BERTH_CHECK(use_authorities(made->context, files.client_authorities));
    auto* native = made->context.native_handle();
    ::SSL_CTX_set_client_CA_list(native, ::SSL_load_client_CA_file(files.client_authorities.c_str()));
    ::SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    return made;
}

// The first certificate, which knows the others.
Result<std::shared_ptr<TlsContext>> make_listener_context(
    const TlsFiles& files, const std::shared_ptr<TicketKeys>& tickets) {
    if (files.folder.empty()) return make_server_context(files.pair, files, tickets);
    BERTH_TRY(auto pairs, pairs_in(files.folder));
    if (!files.pair.certificate.empty()) pairs.insert(pairs.begin(), files.pair);
    std::shared_ptr<TlsContext> first;
    for (auto& pair : pairs) {
        pair.passphrase = files.pair.passphrase;
        BERTH_TRY(auto made, make_server_context(pair, files, tickets));
        if (!first) {
            first = std::move(made);
            // Names of the first are not entered: whoever asks for none of the others gets it.
            continue;
        }
        for (auto& name : names_of(*made))
            first->by_name.emplace(std::move(name), made);
    }
    for (const auto& name : names_of(*first))
        first->by_name.erase(name);
    choose_by_name(*first);
    return first;
}

Result<std::shared_ptr<TlsContext>> make_client_context(const TlsClientFiles& files) {
    BERTH_TRY(auto made, make_context(ssl::context::tls_client));
    if (!files.pair.certificate.empty()) BERTH_CHECK(use_pair(made->context, files.pair));
    auto* native = made->context.native_handle();
    ::SSL_CTX_set_verify(native, files.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (!files.authorities.empty()) {
        BERTH_CHECK(use_authorities(made->context, files.authorities));
    } else if (::SSL_CTX_set_default_verify_paths(native) != 1) {
        return Error{
            TlsErrc::certificate_unusable,
            "The system's certificate authorities cannot be read: " + reason()};
    }
    return made;
}

struct Stamp {
    ino_t inode = 0;
    timespec modified{};
    off_t size = 0;

    bool operator==(const Stamp& other) const {
        return inode == other.inode && size == other.size && modified.tv_sec == other.modified.tv_sec &&
               modified.tv_nsec == other.modified.tv_nsec;
    }
};

// Through links, as certificate tools leave them.
Stamp stamp_of(const std::string& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return {};
    return {found.st_ino, found.st_mtim, found.st_size};
}

using Stamps = std::vector<Stamp>;

Stamps stamps_of(const TlsFiles& files) {
    Stamps all = {
        stamp_of(files.pair.certificate), stamp_of(files.pair.key), stamp_of(files.client_authorities)};
    if (files.folder.empty()) return all;
    all.push_back(stamp_of(files.folder));
    const auto pairs = pairs_in(files.folder);
    if (!pairs) return all;
    for (const auto& pair : *pairs) {
        all.push_back(stamp_of(pair.certificate));
        all.push_back(stamp_of(pair.key));
    }
    return all;
}

}  // namespace

struct TlsCertificate::State {
    TlsFiles files;
    const std::shared_ptr<TicketKeys> tickets = std::make_shared<TicketKeys>();  // the same after a reload
    mutable std::mutex mutex;                                                    // guards what follows
    std::shared_ptr<TlsContext> context;
    Stamps stamps{};
};

TlsCertificate::TlsCertificate(TlsFiles files) : state_(std::make_unique<State>()) {
    state_->files = std::move(files);
}
TlsCertificate::~TlsCertificate() = default;

Result<std::shared_ptr<TlsCertificate>> TlsCertificate::load(TlsFiles files) {
    std::shared_ptr<TlsCertificate> made(new TlsCertificate(std::move(files)));
    BERTH_CHECK(made->reload());
    return made;
}

Result<void> TlsCertificate::reload() {
    // Stamped first: a change while they are read is found by the next look.
    const auto stamps = stamps_of(state_->files);
    auto made = make_listener_context(state_->files, state_->tickets);
    const std::lock_guard lock(state_->mutex);
    state_->stamps = stamps;
    if (!made) return made.error();
    state_->context = std::move(*made);
    return boost::system::in_place_value;
}

bool TlsCertificate::changed() const {
    const auto stamps = stamps_of(state_->files);
    const std::lock_guard lock(state_->mutex);
    return stamps != state_->stamps;
}

std::shared_ptr<TlsContext> TlsCertificate::current() const {
    const std::lock_guard lock(state_->mutex);
    return state_->context;
}

Result<std::shared_ptr<TlsContext>> TlsClient::context() {
    const std::lock_guard lock(mutex_);
    if (!context_) {
        BERTH_TRY(context_, make_client_context(files_));
    }
    return context_;
}

}  // namespace berth::net
