// --pid-file: names the proxy that serves, and is removed with it, as configurable-http-proxy does.
#pragma once

#include <unistd.h>

#include <fstream>
#include <string>

namespace berth::proxy {

class PidFile {
public:
    PidFile() = default;
    PidFile(const PidFile&) = delete;
    ~PidFile() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    bool write(const std::string& path) {
        std::ofstream file(path, std::ios::trunc);
        file << ::getpid();
        file.close();
        if (!file) return false;
        path_ = path;
        return true;
    }
    void disown() { path_.clear(); }  // it names a successor now

private:
    std::string path_;
};

}  // namespace berth::proxy
