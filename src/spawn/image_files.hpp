// Reads files out of images without running them: what is in an image was put there by whoever made it, and
// no user's server can change it. Hub strand only.
#pragma once

#include "async/awaitable.hpp"
#include "async/deadline.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace berth::spawn {

// The key under which a spawner keeps the id of a server's image in its SpawnState.
inline constexpr const char* kImageOfState = "image_id";

struct ImageFacts {
    std::string id;                            // "sha256:…": names its content
    std::vector<std::string> program_folders;  // of its PATH
};

class ImageFiles {
public:
    virtual ~ImageFiles() = default;

    // Errors: image_not_found (it is not fetched), backend_unreachable, backend_failed.
    virtual awaitable<Result<ImageFacts>> facts(std::string image, Deadline deadline) = 0;

    struct Wanted {
        std::string folder;  // in the image, absolute
        std::string into;    // a file on this machine: gets a tar of it, under the folder's last name
    };
    // Those of `wanted` that the image has. None may have more than `most_bytes`. Errors:
    // backend_unreachable, backend_failed, start_timeout; files may then be left half-written. Cancellation:
    // as an error; the next call removes what the backend was left with.
    virtual awaitable<Result<std::vector<Wanted>>> save(
        std::string id, std::vector<Wanted> wanted, std::uint64_t most_bytes, Deadline deadline) = 0;
};

}  // namespace berth::spawn
