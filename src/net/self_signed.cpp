#include "net/self_signed.hpp"

#include <boost/asio/ip/address.hpp>

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>

namespace berth::net {
namespace {

constexpr long kDay = 24 * 60 * 60;
constexpr long kLasts = 397 * kDay;  // what browsers take at most
constexpr long kRenewed = 30 * kDay;

template <auto free_it>
struct FreeBy {
    template <class T>
    void operator()(T* each) const {
        free_it(each);
    }
};
using Certificate = std::unique_ptr<X509, FreeBy<::X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeBy<::EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, FreeBy<::BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeBy<::X509_EXTENSION_free>>;

Error unusable(const std::string& what) {
    return Error{
        TlsErrc::certificate_unusable,
        "tls.self_signed: " + what + ". Give tls.certificate and tls.key, or mend that.",
        {}};
}

std::string fingerprint_of(const X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (::X509_digest(certificate, ::EVP_sha256(), digest.data(), &size) != 1) return {};
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
        if (i > 0) text.push_back(':');
        text.push_back(kDigits[digest[i] >> 4U]);
        text.push_back(kDigits[digest[i] & 15U]);
    }
    return text;
}

Certificate read_certificate(const std::string& path) {
    const Bio file(::BIO_new_file(path.c_str(), "r"));
    return Certificate(file ? ::PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
}

bool is_of(X509* certificate, const std::string& name) {
    boost::system::error_code no_address;
    (void)boost::asio::ip::make_address(name, no_address);
    if (!no_address) return ::X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
    return ::X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
}

bool is_usable(X509* certificate, const std::vector<std::string>& names) {
    std::time_t by_then = std::time(nullptr) + kRenewed;
    if (::X509_cmp_time(::X509_get0_notAfter(certificate), &by_then) <= 0) return false;
    for (const auto& name : names) {
        if (!is_of(certificate, name)) return false;
    }
    return true;
}

bool extend(X509* certificate, int what, const std::string& value) {
    X509V3_CTX context;
    ::X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const Extension made(::X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()));
    return made && ::X509_add_ext(certificate, made.get(), -1) == 1;
}

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) {
        boost::system::error_code no_address;
        (void)boost::asio::ip::make_address(name, no_address);
        text.append(text.empty() ? "" : ",").append(no_address ? "DNS:" : "IP:").append(name);
    }
    return text;
}

Certificate make(EVP_PKEY* key, const std::vector<std::string>& names) {
    Certificate made(::X509_new());
    std::uint64_t serial = 0;
    if (!made || ::RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return nullptr;
    auto* subject = ::X509_get_subject_name(made.get());
    const auto* common = reinterpret_cast<const unsigned char*>("Berth, self-signed");
    const bool done = ::X509_set_version(made.get(), X509_VERSION_3) == 1 &&
                      ::ASN1_INTEGER_set_uint64(::X509_get_serialNumber(made.get()), serial >> 1U) == 1 &&
                      ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), -kDay) != nullptr &&
                      ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), kLasts - kDay) != nullptr &&
                      ::X509_set_pubkey(made.get(), key) == 1 &&
                      ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, common, -1, -1, 0) == 1 &&
                      ::X509_set_issuer_name(made.get(), subject) == 1 &&
                      extend(made.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                      extend(made.get(), NID_key_usage, "critical,digitalSignature") &&
                      extend(made.get(), NID_ext_key_usage, "serverAuth") &&
                      extend(made.get(), NID_subject_alt_name, listed(names)) &&
                      ::X509_sign(made.get(), key, ::EVP_sha256()) > 0;
    return done ? std::move(made) : nullptr;
}

// Written beside and moved, so that a reader never sees half of it.
template <class Write>
bool write_file(const std::string& path, mode_t mode, Write write) {
    const std::string draft = path + ".new";
    ::unlink(draft.c_str());
    const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) return false;
    const Bio out(::BIO_new_fd(file, BIO_CLOSE));
    return out && write(out.get()) == 1 && ::fsync(file) == 0 && ::rename(draft.c_str(), path.c_str()) == 0;
}

}  // namespace

Result<SelfSigned> self_signed_in(const std::string& folder, const std::vector<std::string>& names) {
    SelfSigned found;
    found.pair.certificate = folder + "/self-signed.crt";
    found.pair.key = folder + "/self-signed.key";
    const auto there = read_certificate(found.pair.certificate);
    if (there && ::access(found.pair.key.c_str(), R_OK) == 0 && is_usable(there.get(), names)) {
        found.fingerprint = fingerprint_of(there.get());
        return found;
    }
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    if (failure) return unusable("the folder " + folder + " cannot be made: " + failure.message());
    ::chmod(folder.c_str(), S_IRWXU);
    const Key key(::EVP_EC_gen("P-256"));
    const auto made = key ? make(key.get(), names) : nullptr;
    if (!made) return unusable("OpenSSL could not make a certificate of " + listed(names));
    const bool written =
        write_file(
            found.pair.key,
            S_IRUSR | S_IWUSR,
            [&key](BIO* out) {
                return ::PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
            }) &&
        write_file(found.pair.certificate, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, [&made](BIO* out) {
            return ::PEM_write_bio_X509(out, made.get());
        });
    if (!written) return unusable("the files in " + folder + " cannot be written");
    found.fingerprint = fingerprint_of(made.get());
    return found;
}

}  // namespace berth::net
