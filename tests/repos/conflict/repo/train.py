import click
import torch


@click.command()
@click.option('--lr', default=0.1)
def main(lr):
    print(torch, lr)


if __name__ == '__main__':
    main()
