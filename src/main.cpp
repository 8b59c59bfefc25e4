#include "app/main.hpp"

int main(int argc, char** argv) {
    return berth::app::run(argc, argv);
}
