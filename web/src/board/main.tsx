// The script of the GPU board (parts/board.tsx loads it).
import { GpuBoard } from "./gpu_board";

globalThis.berthBoard = GpuBoard;
